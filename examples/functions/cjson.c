// The seed's function in C: name and age from DATA, with a description.
#include <stdlib.h>

#include "json.h"

static int fail(const char* why) {
  (void)write(STDERR_FILENO, why, strlen(why));
  return EXIT_FAILURE;
}

int main(void) {
  const char* data = getenv("DATA");
  const json_text input = json_from(data != NULL ? data : "{}");
  json_text name;
  json_text age;
  if (!json_member(input, "name", &name) || !json_member(input, "age", &age)) {
    return fail("DATA is no JSON object\n");
  }
  json_writer out = {.used = 0};
  json_put_text(&out, "{\"name\":");
  json_put(&out, json_is_string(name) ? name : json_from("\"\""));
  json_put_text(&out, ",\"age\":");
  json_put(&out, json_is_integer(age) ? age : json_from("0"));
  json_put_text(&out, ",\"description\":\"This is a description\"}");
  json_flush(&out);
  return out.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
