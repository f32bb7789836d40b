#include "cli/cli.h"

int main(int argc, char** argv) {
  return funcd::cli::run(argc, argv);
}
