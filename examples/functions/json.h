// Just enough JSON for small functions: finds a member of an object without copying, and writes an
// answer through one bounded buffer. What it finds is a piece of the text that it was given, so
// that a string is passed on with the escapes it came with.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

// A piece of text, not ended by a NUL. `begin` is NULL when there is none.
typedef struct {
  const char* begin;
  const char* end;
} json_text;

static inline json_text json_from(const char* text) {
  return (json_text){text, text == NULL ? NULL : text + strlen(text)};
}

static inline size_t json_length(json_text text) {
  return (size_t)(text.end - text.begin);
}

static inline bool json_is_digit(char c) {
  return c >= '0' && c <= '9';
}

static inline bool json_is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline const char* json_skip_space(const char* at, const char* end) {
  while (at < end && json_is_space(*at)) ++at;
  return at;
}

// Past the string that begins at `at`, or NULL when it has no end.
static inline const char* json_skip_string(const char* at, const char* end) {
  for (++at; at < end; ++at) {
    if (*at == '"') return at + 1;
    if (*at == '\\') ++at;
  }
  return NULL;
}

// Past the value that begins at `at`, or NULL when it has no end. Brackets are counted, not
// matched: `[}` passes.
static inline const char* json_skip_value(const char* at, const char* end) {
  size_t depth = 0;
  const char* begin = at;
  while (at < end) {
    if (*at == '"') {
      at = json_skip_string(at, end);
      if (at == NULL) return NULL;
    } else if (*at == '{' || *at == '[') {
      ++depth;
      ++at;
    } else if (depth == 0 && (*at == ',' || *at == '}' || *at == ']' || json_is_space(*at))) {
      break;
    } else {
      if (*at == '}' || *at == ']') --depth;
      ++at;
    }
    if (depth == 0 && (at[-1] == '"' || at[-1] == '}' || at[-1] == ']')) return at;
  }
  return depth == 0 && at > begin ? at : NULL;
}

// Finds the member `key` (plain characters) of an object; of several, the last. False when the
// text is no object; a member that is absent is no failure, `found->begin` stays NULL.
static inline bool json_member(json_text object, const char* key, json_text* found) {
  *found = (json_text){NULL, NULL};
  const size_t key_length = strlen(key);
  const char* end = object.end;
  const char* at = json_skip_space(object.begin, end);
  if (at == end || *at != '{') return false;
  at = json_skip_space(at + 1, end);
  if (at < end && *at == '}') return true;
  while (at < end && *at == '"') {
    const char* name = at + 1;
    at = json_skip_string(at, end);
    if (at == NULL) return false;
    const size_t name_length = (size_t)(at - 1 - name);
    at = json_skip_space(at, end);
    if (at == end || *at != ':') return false;
    at = json_skip_space(at + 1, end);
    const char* value = at;
    at = json_skip_value(at, end);
    if (at == NULL) return false;
    if (name_length == key_length && memcmp(name, key, key_length) == 0) {
      *found = (json_text){value, at};
    }
    at = json_skip_space(at, end);
    if (at == end) return false;
    if (*at == '}') return true;
    if (*at != ',') return false;
    at = json_skip_space(at + 1, end);
  }
  return false;
}

static inline bool json_is_string(json_text value) {
  return value.begin != NULL && json_length(value) >= 2 && *value.begin == '"';
}

static inline bool json_is_integer(json_text value) {
  if (value.begin == NULL) return false;
  const char* at = value.begin;
  if (at < value.end && *at == '-') ++at;
  if (at == value.end || (*at == '0' && at + 1 < value.end)) return false;
  while (at < value.end && json_is_digit(*at)) ++at;
  return at == value.end;
}

// Collects an answer and writes it to stdout in as few calls as fit its buffer.
typedef struct {
  char bytes[1024];
  size_t used;
  bool has_failed;
} json_writer;

static inline void json_flush(json_writer* writer) {
  size_t done = 0;
  while (done < writer->used) {
    const ssize_t count = write(STDOUT_FILENO, writer->bytes + done, writer->used - done);
    if (count <= 0) {
      writer->has_failed = true;
      break;
    }
    done += (size_t)count;
  }
  writer->used = 0;
}

static inline void json_put(json_writer* writer, json_text text) {
  while (text.begin < text.end && !writer->has_failed) {
    const size_t room = sizeof(writer->bytes) - writer->used;
    const size_t count = json_length(text) < room ? json_length(text) : room;
    memcpy(writer->bytes + writer->used, text.begin, count);
    writer->used += count;
    text.begin += count;
    if (writer->used == sizeof(writer->bytes)) json_flush(writer);
  }
}

static inline void json_put_text(json_writer* writer, const char* text) {
  json_put(writer, json_from(text));
}
