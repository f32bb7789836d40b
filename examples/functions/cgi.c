// A CGI program (RFC 3875): a header block, an empty line, and HTML that shows the request.
#include <stdio.h>
#include <stdlib.h>

// Prints text that came from outside, with the characters that mean something in HTML replaced.
static void print_escaped(const char* text) {
  for (; *text != '\0'; ++text) {
    switch (*text) {
      case '<':
        fputs("&lt;", stdout);
        break;
      case '>':
        fputs("&gt;", stdout);
        break;
      case '&':
        fputs("&amp;", stdout);
        break;
      case '"':
        fputs("&quot;", stdout);
        break;
      default:
        putchar(*text);
    }
  }
}

int main(void) {
  static const char* const kShown[] = {"REQUEST_METHOD", "SCRIPT_NAME",    "PATH_INFO",
                                       "QUERY_STRING",   "CONTENT_LENGTH", "http_path"};
  fputs("Content-Type: text/html; charset=utf-8\r\nStatus: 200 OK\r\n\r\n", stdout);
  fputs("<!doctype html>\n<title>cgi</title>\n<table>\n", stdout);
  for (size_t i = 0; i < sizeof(kShown) / sizeof(kShown[0]); ++i) {
    const char* value = getenv(kShown[i]);
    printf("<tr><th>%s<td>", kShown[i]);
    print_escaped(value != NULL ? value : "-");
    putchar('\n');
  }
  fputs("</table>\n", stdout);
  return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
