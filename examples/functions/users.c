// A path parameter: /users/7 arrives in DATA as {"id":"7"}.
#include <stdlib.h>

#include "json.h"

int main(void) {
  const char* data = getenv("DATA");
  json_text id;
  if (!json_member(json_from(data != NULL ? data : "{}"), "id", &id) || !json_is_string(id)) {
    const char* why = "DATA has no string \"id\"\n";
    (void)write(STDERR_FILENO, why, strlen(why));
    return EXIT_FAILURE;
  }
  json_writer out = {.used = 0};
  json_put_text(&out, "{\"id\":");
  json_put(&out, id);
  json_put_text(&out, ",\"url\":\"/users/");
  json_put(&out, (json_text){id.begin + 1, id.end});
  json_put_text(&out, "}");
  json_flush(&out);
  return out.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
