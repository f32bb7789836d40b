// Does what the last part of its path says: what tests want to see a component do, one way or the
// other.
#include "wasi_http.h"

IMPORT("wasi:cli/stdout@0.2.0", "get-stdout") int get_stdout(void);
IMPORT("wasi:cli/stderr@0.2.0", "get-stderr") int get_stderr(void);
IMPORT("wasi:clocks/monotonic-clock@0.2.0", "subscribe-duration") int subscribe_duration(uint64_t nanoseconds);
IMPORT(STREAMS, "[method]output-stream.check-write") void stream_check(int stream, uint64_t* result);
IMPORT(STREAMS, "[method]output-stream.write")
void stream_write_some(int stream, const char* bytes, uint32_t size, uint32_t* result);
IMPORT(STREAMS, "[method]output-stream.subscribe") int stream_subscribe(int stream);
IMPORT(HTTP, "[constructor]outgoing-request") int request_new(int fields);
IMPORT(HTTP, "[method]outgoing-request.set-path-with-query")
int request_set_path(int request, int is_some, const char* text, uint32_t size);
IMPORT(HTTP, "[method]outgoing-request.set-scheme")
int request_set_scheme(int request, int is_some, int scheme, const char* other, uint32_t size);
IMPORT(HTTP, "[method]outgoing-request.set-authority")
int request_set_authority(int request, int is_some, const char* text, uint32_t size);
IMPORT("wasi:http/outgoing-handler@0.2.0", "handle")
void send_request(int request, int has_options, int options, uint32_t* result);
IMPORT(HTTP, "[resource-drop]future-incoming-response") void future_drop(int future);
IMPORT(HTTP, "[method]future-incoming-response.subscribe") int future_subscribe(int future);
IMPORT(HTTP, "[method]future-incoming-response.get") void future_get(int future, uint32_t* option);
IMPORT(HTTP, "[method]incoming-response.status") int response_status(int response);
IMPORT(HTTP, "[method]incoming-response.consume") void response_consume(int response, uint32_t* result);
IMPORT(HTTP, "[static]incoming-body.finish") int incoming_body_finish(int body);
IMPORT(HTTP, "[method]future-trailers.subscribe") int trailers_subscribe(int future);
IMPORT(HTTP, "[method]future-trailers.get") void trailers_get(int future, uint32_t* option);

static uint32_t calls;

static int is(text a, const char* b) {
  uint32_t i = 0;
  for (; i < a.size && b[i] != 0; ++i) {
    if (a.data[i] != b[i]) return 0;
  }
  return i == a.size && b[i] == 0;
}

static void nap(uint64_t ms) {
  pollable_block(subscribe_duration(ms * 1000000));
}

static int begin(int outparam, int* body) {
  *body = respond(outparam, 200, fields_new());
  int stream = open_body(*body);
  write_all(stream, "begun", 5);
  return stream;
}

static void say_number(int outparam, text what, uint32_t number) {
  char line[64];
  uint32_t size = 0, divisor = 1;
  for (; size < what.size; ++size) line[size] = what.data[size];
  while (number / divisor >= 10) divisor *= 10;
  for (; divisor > 0; divisor /= 10) line[size++] = (char)('0' + number / divisor % 10);
  answer(outparam, 200, (text){line, size});
}

static void pass_on(int outparam, int response) {
  uint32_t result[4];
  response_consume(response, result);
  incoming_body_stream((int)result[1], result);
  int in = (int)result[1];
  int body = respond(outparam, response_status(response), fields_new());
  int out = open_body(body);
  for (;;) {
    heap_used = 0;
    stream_read(in, 65536, result);
    if ((uint8_t)result[0] != 0) break;
    write_all(out, (const char*)result[1], result[2]);
  }
  if ((uint8_t)result[1] != 0) finish_body(body, out);
}

// Writes as much at once as it may, as what SDKs make does.
static void pour(int stream, uint32_t size) {
  _Alignas(8) uint64_t may[2];
  uint32_t result[4];
  int pollable = stream_subscribe(stream);
  while (size > 0) {
    stream_check(stream, may);
    if ((uint8_t)may[0] != 0) break;
    if (may[1] == 0) {
      pollable_block(pollable);
      continue;
    }
    uint32_t piece = size < HEAP_BYTES ? size : HEAP_BYTES;
    if (piece > may[1]) piece = (uint32_t)may[1];
    stream_write_some(stream, heap, piece, result);
    if ((uint8_t)result[0] != 0) break;
    size -= piece;
  }
  pollable_drop(pollable);
}

// Tries to have a field sent that is none; says whether it was let.
static void inject(int outparam, text name, text value) {
  uint8_t result[24];
  int fields = fields_new();
  fields_append(fields, name.data, name.size, value.data, value.size, result);
  int body = respond(outparam, 200, fields);
  int stream = open_body(body);
  write_all(stream, result[0] != 0 ? "refused" : "let", result[0] != 0 ? 7 : 3);
  finish_body(body, stream);
}

// A body that says that it has that many bytes, and has five, some of them later.
static void declare(int outparam, text length, int is_later) {
  int fields = fields_new();
  add_field(fields, TEXT("content-length"), length);
  int body = respond(outparam, 200, fields);
  int stream = open_body(body);
  write_all(stream, "fi", 2);
  if (is_later) nap(100);
  write_all(stream, "ve!", 3);
  finish_body(body, stream);
}

// GET http://AUTHORITY PATH
static void fetch(int outparam, text authority, text path) {
  _Alignas(8) uint32_t result[16];
  int request = request_new(fields_new());
  request_set_scheme(request, 1, 0, 0, 0);
  request_set_path(request, 1, path.data, path.size);
  if (request_set_authority(request, 1, authority.data, authority.size) != 0) {
    return answer(outparam, 200, TEXT("bad authority"));
  }
  send_request(request, 0, 0, result);
  if ((uint8_t)result[0] != 0) return say_number(outparam, TEXT("error "), (uint8_t)result[2]);
  int future = (int)result[2];
  int pollable = future_subscribe(future);
  pollable_block(pollable);
  pollable_drop(pollable);
  future_get(future, result);
  future_drop(future);
  if ((uint8_t)result[4] != 0) return say_number(outparam, TEXT("error "), (uint8_t)result[6]);
  pass_on(outparam, (int)result[6]);
}

// What came after the request's body: the values of x-sum, or what else there is to say.
static void say_trailers(int request, int outparam) {
  _Alignas(8) uint32_t result[16];
  request_consume(request, result);
  int body = (int)result[1];
  incoming_body_stream(body, result);
  int stream = (int)result[1];
  do stream_read(stream, 65536, result);
  while ((uint8_t)result[0] == 0);
  input_stream_drop(stream);
  int future = incoming_body_finish(body);
  int pollable = trailers_subscribe(future);
  pollable_block(pollable);
  pollable_drop(pollable);
  trailers_get(future, result);
  if ((uint8_t)result[4] != 0) return say_number(outparam, TEXT("error "), (uint8_t)result[6]);
  if ((uint8_t)result[6] == 0) return answer(outparam, 200, TEXT("none"));
  int trailers = (int)result[7];
  fields_get(trailers, "x-sum", 5, result);
  const text* values = (const text*)result[0];
  char said[256];
  uint32_t count = result[1], size = 0;
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t at = 0; at < values[i].size; ++at) said[size++] = values[i].data[at];
    said[size++] = ';';
  }
  fields_get(trailers, "authorization", 13, result);
  if (result[1] != 0) said[size++] = '!';
  answer(outparam, 200, (text){said, size});
}

HANDLE(request, outparam) {
  uint32_t option[3];
  int body;
  request_path(request, option);
  text path = {(const char*)option[1], option[2]};
  text whole = path, query = {0, 0};
  for (uint32_t i = 0; i < path.size; ++i) {
    if (path.data[i] != '?') continue;
    query = (text){path.data + i + 1, path.size - i - 1};
    path.size = i;
  }
  for (uint32_t i = path.size; i-- > 0;) {
    if (path.data[i] != '/') continue;
    path = (text){path.data + i + 1, path.size - i - 1};
    break;
  }
  if (is(path, "count")) return say_number(outparam, TEXT("call "), ++calls);
  if (is(path, "fetch")) {
    request_drop(request);
    return fetch(outparam, query, TEXT("/from-a-function"));
  }
  if (is(path, "circle")) return fetch(outparam, query, whole);
  if (is(path, "log")) {
    write_all(get_stdout(), "said on stdout\n", 15);
    write_all(get_stderr(), "said on stderr\n", 15);
    return answer(outparam, 200, TEXT("logged"));
  }
  if (is(path, "trailers")) {
    uint64_t result[5];
    int stream = begin(outparam, &body);
    int trailers = fields_new();
    add_field(trailers, TEXT("x-sum"), TEXT("5"));
    output_stream_drop(stream);
    return outgoing_body_finish(body, 1, trailers, result);
  }
  if (is(path, "sum")) return say_trailers(request, outparam);
  if (is(path, "never")) return;
  if (is(path, "dropped")) return outparam_drop(outparam);
  if (is(path, "refused")) return outparam_set(outparam, 1, 38, 0, 0, 0, 0, 0, 0);
  if (is(path, "trap")) __builtin_trap();
  if (is(path, "loop")) for (volatile int i = 0;; ++i) {}
  if (is(path, "low")) return (void)respond(outparam, 103, fields_new());
  if (is(path, "high")) return (void)respond(outparam, 600, fields_new());
  if (is(path, "injects")) return inject(outparam, TEXT("x-a"), TEXT("b\r\nset-cookie: c"));
  if (is(path, "injects-name")) return inject(outparam, TEXT("x-a: b\r\nset-cookie"), TEXT("c"));
  if (is(path, "frames")) return inject(outparam, TEXT("transfer-encoding"), TEXT("chunked"));
  if (is(path, "short")) return declare(outparam, TEXT("7"), 0);
  if (is(path, "long")) return declare(outparam, TEXT("3"), 0);
  if (is(path, "short-later")) return declare(outparam, TEXT("7"), 1);
  if (is(path, "long-later")) return declare(outparam, TEXT("3"), 1);
  if (is(path, "twice")) {
    (void)begin(outparam, &body);
    answer(outparam, 200, TEXT("again"));
  }
  if (is(path, "twice-read")) {
    uint32_t result[2];
    request_consume(request, result);
    request_consume(request, result);
    return answer(outparam, 200, (uint8_t)result[0] != 0 ? TEXT("once only") : TEXT("twice"));
  }
  if (is(path, "ignores")) return answer(outparam, 200, TEXT("enough"));
  if (is(path, "lazy")) {
    nap(60000);
    return answer(outparam, 200, TEXT("at last"));
  }
  if (is(path, "endless")) {
    int stream = begin(outparam, &body);
    while (write_all(stream, heap, 4096)) {}
  }
  if (is(path, "pours")) {
    int stream = begin(outparam, &body);
    pour(stream, 4 << 20);
    return finish_body(body, stream);
  }
  int stream = begin(outparam, &body);
  nap(100);
  if (is(path, "trap-later")) __builtin_trap();
  if (is(path, "hang-later")) nap(60000);
  if (is(path, "drop-later")) {
    output_stream_drop(stream);
    return outgoing_body_drop(body);
  }
  write_all(stream, " and done", 9);
  finish_body(body, stream);
}
