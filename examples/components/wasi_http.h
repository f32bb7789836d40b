// wasi:http 0.2 for C without libc: what the examples here import of it, as the component model's
// canonical ABI lays it out, and the few lines around it that each of them needs. An int that stands
// for a resource is a handle. A result's first byte is 0 when it is good; its payload lies at the
// offset of the larger of its two cases' alignment.
#pragma once
#include <stdint.h>

#define IMPORT(interface, function) \
  __attribute__((import_module(interface), import_name(function))) extern
#define HTTP "wasi:http/types@0.2.0"
#define STREAMS "wasi:io/streams@0.2.0"

typedef struct { const char* data; uint32_t size; } text;
#define TEXT(literal) (text){literal, sizeof(literal) - 1}

IMPORT(HTTP, "[constructor]fields") int fields_new(void);
IMPORT(HTTP, "[method]fields.get") void fields_get(int fields, const char* name, uint32_t name_size, uint32_t* list);
IMPORT(HTTP, "[method]fields.append")
void fields_append(int fields, const char* name, uint32_t name_size, const char* value, uint32_t value_size, uint8_t* result);
IMPORT(HTTP, "[method]incoming-request.path-with-query") void request_path(int request, uint32_t* option);
IMPORT(HTTP, "[method]incoming-request.headers") int request_headers(int request);
IMPORT(HTTP, "[resource-drop]incoming-request") void request_drop(int request);
IMPORT(HTTP, "[method]incoming-request.consume") void request_consume(int request, uint32_t* result);
IMPORT(HTTP, "[method]incoming-body.stream") void incoming_body_stream(int body, uint32_t* result);
IMPORT(HTTP, "[resource-drop]incoming-body") void incoming_body_drop(int body);
IMPORT(HTTP, "[constructor]outgoing-response") int response_new(int fields);
IMPORT(HTTP, "[method]outgoing-response.set-status-code") int response_set_status(int response, int status);
IMPORT(HTTP, "[method]outgoing-response.body") void response_body(int response, uint32_t* result);
IMPORT(HTTP, "[method]outgoing-body.write") void outgoing_body_write(int body, uint32_t* result);
IMPORT(HTTP, "[static]outgoing-body.finish") void outgoing_body_finish(int body, int has_trailers, int trailers, uint64_t* result);
IMPORT(HTTP, "[resource-drop]outgoing-body") void outgoing_body_drop(int body);
IMPORT(HTTP, "[static]response-outparam.set")
void outparam_set(int outparam, int is_error, int response_or_code, int, int64_t, int, int, int, int);
IMPORT(HTTP, "[resource-drop]response-outparam") void outparam_drop(int outparam);

IMPORT(STREAMS, "[method]input-stream.blocking-read") void stream_read(int stream, uint64_t size, uint32_t* result);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void stream_write(int stream, const char* bytes, uint32_t size, uint32_t* result);
IMPORT(STREAMS, "[resource-drop]input-stream") void input_stream_drop(int stream);
IMPORT(STREAMS, "[resource-drop]output-stream") void output_stream_drop(int stream);
IMPORT("wasi:io/poll@0.2.0", "[method]pollable.block") void pollable_block(int pollable);
IMPORT("wasi:io/poll@0.2.0", "[resource-drop]pollable") void pollable_drop(int pollable);

// What the host hands over (lists, strings) lies in a buffer that every call begins anew; an instance
// lives for one request, so nothing else is ever freed.
#define HEAP_BYTES (256 * 1024)
static _Alignas(16) char heap[HEAP_BYTES];
static uint32_t heap_used;

__attribute__((export_name("cabi_realloc")))
void* cabi_realloc(void* old, uint32_t old_size, uint32_t align, uint32_t size) {
  (void)old, (void)old_size;
  heap_used = (heap_used + align - 1) & ~(align - 1);
  if (heap_used + size > HEAP_BYTES) __builtin_trap();
  void* at = heap + heap_used;
  heap_used += size;
  return at;
}

#define HANDLE(request, outparam) \
  __attribute__((export_name("wasi:http/incoming-handler@0.2.0#handle"))) void handle(int request, int outparam)

// The largest piece that blocking-write-and-flush takes.
#define WRITE_BYTES_MAX 4096

static inline int write_all(int stream, const char* bytes, uint32_t size) {
  uint32_t result[4];
  while (size > 0) {
    uint32_t piece = size < WRITE_BYTES_MAX ? size : WRITE_BYTES_MAX;
    stream_write(stream, bytes, piece, result);
    if ((uint8_t)result[0] != 0) return 0;
    bytes += piece;
    size -= piece;
  }
  return 1;
}

static inline void add_field(int fields, text name, text value) {
  uint8_t result[24];
  fields_append(fields, name.data, name.size, value.data, value.size, result);
}

// Sends the head; returns the body, which is written and then finished.
static inline int respond(int outparam, int status, int fields) {
  uint32_t result[2];
  int response = response_new(fields);
  response_set_status(response, status);
  response_body(response, result);
  outparam_set(outparam, 0, response, 0, 0, 0, 0, 0, 0);
  return (int)result[1];
}

static inline int open_body(int body) {
  uint32_t result[2];
  outgoing_body_write(body, result);
  return (int)result[1];
}

static inline void finish_body(int body, int stream) {
  uint64_t result[5];
  output_stream_drop(stream);
  outgoing_body_finish(body, 0, 0, result);
}

// Answers with one text.
static inline void answer(int outparam, int status, text body_text) {
  int fields = fields_new();
  add_field(fields, TEXT("content-type"), TEXT("text/plain"));
  int body = respond(outparam, status, fields);
  int stream = open_body(body);
  write_all(stream, body_text.data, body_text.size);
  finish_body(body, stream);
}
