// Counts the primes below a limit, and does nothing else: all of its time is its own computing.
// A larger limit runs into the function's timeout.
#include <stdlib.h>

#include "json.h"

enum { kLimit = 30000 };

static bool is_prime(unsigned number) {
  if (number < 4) return number > 1;
  if (number % 2 == 0) return false;
  for (unsigned divisor = 3; divisor <= number / divisor; divisor += 2) {
    if (number % divisor == 0) return false;
  }
  return true;
}

static unsigned limit_from(const char* data) {
  json_text limit;
  if (data == NULL || !json_member(json_from(data), "limit", &limit)) return kLimit;
  if (json_is_string(limit)) ++limit.begin;
  return limit.begin == NULL ? kLimit : (unsigned)strtoul(limit.begin, NULL, 10);
}

static void put_number(json_writer* out, unsigned number) {
  char digits[16];
  char* begin = digits + sizeof(digits);
  *--begin = '\0';
  do {
    *--begin = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  json_put_text(out, begin);
}

int main(void) {
  const unsigned limit = limit_from(getenv("DATA"));
  unsigned count = 0;
  for (unsigned number = 0; number < limit; ++number) count += is_prime(number);
  json_writer out = {.used = 0};
  json_put_text(&out, "{\"primes\":");
  put_number(&out, count);
  json_put_text(&out, "}");
  json_flush(&out);
  return out.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
