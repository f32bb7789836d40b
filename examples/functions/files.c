// A mounted folder: copies /data/motto.txt of the guest, data/motto.txt beside the functions, to
// stdout. It is no JSON, so the contract named in the sidecar is cgi.
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  FILE* file = fopen("/data/motto.txt", "rb");
  if (file == NULL) {
    perror("/data/motto.txt");
    return EXIT_FAILURE;
  }
  fputs("Content-Type: text/plain; charset=utf-8\r\n\r\n", stdout);
  char bytes[4096];
  size_t count = 0;
  while ((count = fread(bytes, 1, sizeof(bytes), file)) > 0) fwrite(bytes, 1, count, stdout);
  const int has_failed = ferror(file) || fflush(stdout) != 0;
  fclose(file);
  return has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
