// Answers with its environment, one variable a line: what the sidecar's [env] gives it.
#include "wasi_http.h"

IMPORT("wasi:cli/environment@0.2.0", "get-environment") void get_environment(uint32_t* list);

HANDLE(request, outparam) {
  request_drop(request);
  uint32_t list[2];
  get_environment(list);
  int body = respond(outparam, 200, fields_new());
  int stream = open_body(body);
  const uint32_t* pair = (const uint32_t*)list[0];
  for (uint32_t i = 0; i < list[1]; ++i, pair += 4) {
    write_all(stream, (const char*)pair[0], pair[1]);
    write_all(stream, "=", 1);
    write_all(stream, (const char*)pair[2], pair[3]);
    write_all(stream, "\n", 1);
  }
  finish_body(body, stream);
}
