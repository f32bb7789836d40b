// A CGI program (RFC 3875) that answers with the request's body, piece by piece: the first piece is
// on its way to the client before the last has come.
#include <stdlib.h>
#include <unistd.h>

static int write_all(const char* bytes, size_t length) {
  while (length > 0) {
    const ssize_t count = write(STDOUT_FILENO, bytes, length);
    if (count <= 0) return -1;
    bytes += count;
    length -= (size_t)count;
  }
  return 0;
}

int main(void) {
  static const char kHeader[] = "Content-Type: application/octet-stream\n\n";
  static char piece[16384];
  if (write_all(kHeader, sizeof(kHeader) - 1) != 0) return EXIT_FAILURE;
  for (;;) {
    const ssize_t count = read(STDIN_FILENO, piece, sizeof(piece));
    if (count <= 0) return count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    if (write_all(piece, (size_t)count) != 0) return EXIT_FAILURE;
  }
}
