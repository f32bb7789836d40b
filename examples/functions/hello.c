// The least that a function is: JSON on stdout.
#include <stdio.h>

int main(void) {
  return printf("{\"message\":\"hello, world\"}\n") < 0;
}
