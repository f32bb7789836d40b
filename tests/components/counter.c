// Counts its requests in its memory, and gives back each handle that it was given, unless it is told
// to keep one: what a snapshot after a request needs.
#include "wasi_http.h"

IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(int request);
IMPORT("wasi:random/random@0.2.0", "get-random-u64") uint64_t random_u64(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.0", "now") uint64_t clock_now(void);

static uint32_t calls;
static uint64_t drawn;
static uint32_t has_drawn;
static uint64_t began;

static int ends_with(text path, text end) {
  if (path.size < end.size) return 0;
  for (uint32_t i = 0; i < end.size; ++i) {
    if (path.data[path.size - end.size + i] != end.data[i]) return 0;
  }
  return 1;
}

static void say_number(int outparam, uint64_t number) {
  char digits[20];
  uint32_t at = sizeof digits;
  do digits[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  answer(outparam, 200, (text){digits + at, sizeof digits - at});
}

HANDLE(request, outparam) {
  uint32_t option[3];
  request_path(request, option);
  text path = {(const char*)option[1], option[2]};
  ++calls;
  if (!ends_with(path, TEXT("/keeps"))) request_drop(request);
  if (ends_with(path, TEXT("/traps"))) __builtin_trap();
  if (ends_with(path, TEXT("/count"))) return say_number(outparam, calls);
  if (ends_with(path, TEXT("/random"))) {
    if (!has_drawn) drawn = random_u64();
    has_drawn = 1;
    return say_number(outparam, drawn);
  }
  if (ends_with(path, TEXT("/later"))) return say_number(outparam, clock_now() - began);
  if (ends_with(path, TEXT("/begin"))) began = clock_now();
  answer(outparam, 200, TEXT("ready"));
}
