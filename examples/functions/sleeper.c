// Sleeps 100 ms (poll_oneoff). While it does, the server's core serves others.
#include <stdio.h>
#include <time.h>

int main(void) {
  const struct timespec nap = {.tv_sec = 0, .tv_nsec = 100 * 1000 * 1000};
  if (nanosleep(&nap, NULL) != 0) {
    perror("nanosleep");
    return 1;
  }
  return printf("{\"slept_ms\":100}\n") < 0;
}
