// A component of wasi:http 0.3 in C without libc, as bindings make it: asynchronous, with tidy hands.
// Each answer says in x-count how many requests its memory has seen.
//
//   /body    the count as a body, which is written after the answer was given
//   /say     tells stderr the count, by a handle that the first such request has got
//   /grow    takes 16 MiB more
//   /work    goes on after its answer for some milliseconds
//   /loop, /trap, /refused
#include <stdint.h>

#define IMPORT(module, function) \
  __attribute__((import_module(module), import_name(function))) extern
#define TYPES "wasi:http/types@0.3.0"

IMPORT(TYPES, "[constructor]fields") int fields_new(void);
IMPORT(TYPES, "[method]fields.append")
void fields_append(int fields, const char* name, uint32_t name_size, const char* value, uint32_t value_size, uint32_t* result);
IMPORT(TYPES, "[method]request.get-path-with-query") void request_path(int request, uint32_t* option);
IMPORT(TYPES, "[resource-drop]request") void request_drop(int request);
IMPORT(TYPES, "[static]response.new")
void response_new(int fields, int has_contents, int contents, int trailers, uint32_t* result);
IMPORT(TYPES, "[stream-new-0][static]response.new") uint64_t stream_new(void);
IMPORT(TYPES, "[async-lower][stream-write-0][static]response.new") int stream_write(int stream, const char* bytes, int size);
IMPORT(TYPES, "[stream-drop-writable-0][static]response.new") void stream_drop(int stream);
IMPORT(TYPES, "[future-new-1][static]response.new") uint64_t trailers_new(void);
IMPORT(TYPES, "[async-lower][future-write-1][static]response.new") int trailers_write(int future, const uint64_t* value);
IMPORT(TYPES, "[future-drop-writable-1][static]response.new") void trailers_drop(int future);
IMPORT(TYPES, "[future-drop-readable-2][static]response.new") void sent_drop(int future);
IMPORT("[export]wasi:http/handler@0.3.0", "[task-return]handle")
void task_return(int is_error, int response, int a, int64_t b, int c, int d, int e, int f);
IMPORT("$root", "[waitable-set-new]") int set_new(void);
IMPORT("$root", "[waitable-join]") void join(int waitable, int set);
IMPORT("$root", "[waitable-set-drop]") void set_drop(int set);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr") int get_stderr(void);
IMPORT("wasi:io/streams@0.2.0", "[method]output-stream.blocking-write-and-flush")
void say(int stream, const char* bytes, uint32_t size, uint32_t* result);

enum { EXIT = 0, YIELD = 1, WAIT = 2, BLOCKED = -1 };

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

// What outlives a request.
static uint32_t count;
static int err;  // 0: not asked for yet

// What belongs to one.
static const uint64_t no_trailers[8];
static char digits[12];
static int digits_size;
static int body, trailers, set;
static int rounds;

static void write_digits(void) {
  char reversed[12];
  digits_size = 0;
  for (uint32_t rest = count; rest > 0; rest /= 10) reversed[digits_size++] = (char)('0' + rest % 10);
  for (int i = 0; i < digits_size; ++i) digits[i] = reversed[digits_size - 1 - i];
}

static int wait_for(int waitable) {
  if (set == 0) set = set_new();
  join(waitable, set);
  return WAIT | set << 4;
}

static int end_trailers(void) {
  join(trailers, 0);
  trailers_drop(trailers);
  if (set != 0) set_drop(set);
  set = 0;
  return rounds > 0 ? YIELD : EXIT;
}

static int end_body(void) {
  if (body != 0) {
    join(body, 0);
    stream_drop(body);
  }
  body = 0;
  return trailers_write(trailers, no_trailers) == BLOCKED ? wait_for(trailers) : end_trailers();
}

__attribute__((export_name("[async-lift]wasi:http/handler@0.3.0#handle"))) int handle(int request) {
  uint32_t option[3], made[2], result[8];
  heap_used = 0;
  ++count;
  write_digits();
  request_path(request, option);
  request_drop(request);
  if (ends_with(option, "/trap")) __builtin_trap();
  if (ends_with(option, "/grow")) __builtin_wasm_memory_grow(0, 256);
  if (ends_with(option, "/refused")) {
    task_return(1, 37, 0, 0, 0, 0, 0, 0);
    return EXIT;
  }
  if (ends_with(option, "/say")) {
    if (err == 0) err = get_stderr();
    say(err, digits, (uint32_t)digits_size, result);
  }
  int fields = fields_new();
  fields_append(fields, "x-count", 7, digits, (uint32_t)digits_size, result);
  uint64_t ends = trailers_new(), contents = 0;
  int has_body = ends_with(option, "/body");
  if (has_body) contents = stream_new();
  response_new(fields, has_body, (int)(uint32_t)contents, (int)(uint32_t)ends, made);
  sent_drop((int)made[1]);
  trailers = (int)(ends >> 32);
  body = has_body ? (int)(contents >> 32) : 0;
  rounds = ends_with(option, "/work") ? 2000 : 0;
  task_return(0, (int)made[0], 0, 0, 0, 0, 0, 0);
  // Known to have no effect to the compiler, were it not volatile.
  for (volatile int again = ends_with(option, "/loop"); again;) {}
  if (has_body && stream_write(body, digits, digits_size) == BLOCKED) return wait_for(body);
  return end_body();
}

__attribute__((export_name("[callback][async-lift]wasi:http/handler@0.3.0#handle")))
int go_on(int event, int waitable, int code) {
  (void)event, (void)code;
  if (rounds > 0 && waitable == 0) return --rounds > 0 ? YIELD : EXIT;
  return body != 0 && waitable == body ? end_body() : end_trailers();
}
