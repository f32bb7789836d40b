#include <fcntl.h>
#include <unistd.h>

#include "cli/cli.h"

namespace {

// Of stdin, stdout and stderr what the caller has closed: the next file to be opened would get its
// number, and a guest would read that as its stdin. Writing there fails, as it would have.
void occupy_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));
  }
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  return funcd::cli::run(argc, argv);
}
