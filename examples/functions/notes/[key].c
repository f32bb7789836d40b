// A program for wasm-workers-server: the request is a JSON document on stdin, the answer one on
// stdout. PUT /notes/milk keeps the body under "milk" in the function's store, GET answers with it.
#include <stdlib.h>

#include "../json.h"

enum { kDocumentBytesMax = 8 << 20 };

static int fail(const char* why) {
  (void)write(STDERR_FILENO, why, strlen(why));
  return EXIT_FAILURE;
}

// All of stdin, or nothing when it is too long or cannot be read.
static json_text read_document(void) {
  char* bytes = malloc(kDocumentBytesMax);
  size_t used = 0;
  while (bytes != NULL && used < kDocumentBytesMax) {
    const ssize_t count = read(STDIN_FILENO, bytes + used, kDocumentBytesMax - used);
    if (count < 0) break;
    if (count == 0) return (json_text){bytes, bytes + used};
    used += (size_t)count;
  }
  return (json_text){NULL, NULL};
}

static bool equals(json_text text, const char* word) {
  return json_length(text) == strlen(word) && memcmp(text.begin, word, strlen(word)) == 0;
}

// The answer with the note under `key` replaced: of two members with one name the last counts.
static void put_note(json_writer* out, json_text kv, json_text key, json_text note) {
  const bool is_empty = json_skip_space(kv.begin + 1, kv.end) + 1 == kv.end;
  json_put_text(out, "{\"status\":201,\"data\":\"kept\\n\",\"kv\":");
  json_put(out, (json_text){kv.begin, kv.end - 1});
  json_put_text(out, is_empty ? "" : ",");
  json_put(out, key);
  json_put_text(out, ":");
  json_put(out, note);
  json_put_text(out, "}}");
}

static void get_note(json_writer* out, json_text kv, json_text key) {
  // The key without its quotes, as json_member() takes it; what has escapes is not found so.
  char name[256];
  const size_t length = json_length(key) - 2;
  json_text note = {NULL, NULL};
  if (length < sizeof(name)) {
    memcpy(name, key.begin + 1, length);
    name[length] = '\0';
    (void)json_member(kv, name, &note);
  }
  json_put_text(out, "{\"headers\":{\"content-type\":\"text/plain; charset=utf-8\"},\"status\":");
  json_put_text(out, note.begin != NULL ? "200,\"data\":" : "404,\"data\":");
  json_put(out, note.begin != NULL ? note : json_from("\"no such note\\n\""));
  json_put_text(out, "}");
}

int main(void) {
  const json_text document = read_document();
  json_text method, params, key, body, kv;
  if (document.begin == NULL || !json_member(document, "method", &method) ||
      !json_member(document, "params", &params) || !json_member(document, "body", &body) ||
      !json_member(document, "kv", &kv) || !json_member(params, "key", &key) ||
      !json_is_string(key)) {
    return fail("stdin is no document of a request for a note\n");
  }
  json_writer out = {.used = 0};
  if (equals(method, "\"PUT\"")) {
    put_note(&out, kv, key, body);
  } else {
    get_note(&out, kv, key);
  }
  json_flush(&out);
  return out.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
