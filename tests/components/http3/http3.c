// A component of wasi:http 0.3 in C without libc: /echo passes the request's body on without touching
// it, /refused is an error code, /trap a trap, all else an answer without a body.
#include <stdint.h>

#define IMPORT(function) \
  __attribute__((import_module("wasi:http/types@0.3.0"), import_name(function))) extern

IMPORT("[constructor]fields") int fields_new(void);
IMPORT("[method]fields.append")
void fields_append(int fields, const char* name, uint32_t name_size, const char* value, uint32_t value_size, uint32_t* result);
IMPORT("[method]request.get-path-with-query") void request_path(int request, uint32_t* option);
IMPORT("[static]request.consume-body") void request_consume(int request, int res, uint32_t* result);
IMPORT("[future-new-0][static]request.consume-body") uint64_t future_new_res(void);
IMPORT("[static]response.new")
void response_new(int fields, int has_contents, int contents, int trailers, uint32_t* result);
IMPORT("[future-new-1][static]response.new") uint64_t future_new_trailers(void);
IMPORT("[async-lower][future-write-1][static]response.new") int future_write_trailers(int future, const uint64_t* value);
IMPORT("[method]response.set-status-code") int response_set_status(int response, int status);

static _Alignas(16) char heap[65536];
static uint32_t heap_used;

__attribute__((export_name("cabi_realloc")))
void* cabi_realloc(void* old, uint32_t old_size, uint32_t align, uint32_t size) {
  (void)old, (void)old_size;
  heap_used = (heap_used + align - 1) & ~(align - 1);
  if (heap_used + size > sizeof heap) __builtin_trap();
  void* at = heap + heap_used;
  heap_used += size;
  return at;
}

static int ends_with(const uint32_t* option, const char* end) {
  const char* path = (const char*)option[1];
  uint32_t size = 0;
  while (end[size] != 0) ++size;
  if (option[2] < size) return 0;
  for (uint32_t i = 0; i < size; ++i) {
    if (path[option[2] - size + i] != end[i]) return 0;
  }
  return 1;
}

// result<response, error-code>, and what is read after the call is over.
static _Alignas(8) uint32_t answer[8];
static const uint64_t no_trailers[8];

__attribute__((export_name("wasi:http/handler@0.3.0#handle"))) uint32_t* handle(int request) {
  uint32_t option[3], made[2];
  request_path(request, option);
  if (ends_with(option, "/trap")) __builtin_trap();
  if (ends_with(option, "/refused")) {
    answer[0] = 1;
    answer[2] = 37;
    return answer;
  }
  int fields = fields_new();
  uint32_t result[8];
  fields_append(fields, "x-version", 9, "3", 1, result);
  if (ends_with(option, "/echo")) {
    uint32_t body[2];
    request_consume(request, (int)(uint32_t)future_new_res(), body);
    response_new(fields, 1, (int)body[0], (int)body[1], made);
  } else {
    uint64_t ends = future_new_trailers();
    future_write_trailers((int)(ends >> 32), no_trailers);
    response_new(fields, 0, 0, (int)(uint32_t)ends, made);
    response_set_status((int)made[0], 203);
  }
  answer[0] = 0;
  answer[2] = made[0];
  return answer;
}
