// Settings from the sidecar: the greeting is an environment variable, the name a default of DATA.
#include <stdlib.h>

#include "json.h"

int main(void) {
  const char* data = getenv("DATA");
  const char* greeting = getenv("GREETING");
  json_text name;
  if (!json_member(json_from(data != NULL ? data : "{}"), "name", &name) || !json_is_string(name)) {
    const char* why = "DATA has no string \"name\"\n";
    (void)write(STDERR_FILENO, why, strlen(why));
    return EXIT_FAILURE;
  }
  json_writer out = {.used = 0};
  json_put_text(&out, "{\"greeting\":\"");
  json_put_text(&out, greeting != NULL ? greeting : "hello");
  json_put_text(&out, ", ");
  json_put(&out, (json_text){name.begin + 1, name.end});
  json_put_text(&out, "}");
  json_flush(&out);
  return out.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
