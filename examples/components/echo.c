// Sends the request's body back as it comes, piece by piece, in a few pages of memory whatever its
// size.
#include "wasi_http.h"

#define PIECE_BYTES 65536

HANDLE(request, outparam) {
  uint32_t result[4];
  request_consume(request, result);
  int incoming = (int)result[1];
  incoming_body_stream(incoming, result);
  int in = (int)result[1];

  int body = respond(outparam, 200, fields_new());
  int out = open_body(body);
  for (;;) {
    heap_used = 0;
    stream_read(in, PIECE_BYTES, result);
    if ((uint8_t)result[0] != 0) break;
    if (!write_all(out, (const char*)result[1], result[2])) break;
  }
  int is_whole = (uint8_t)result[0] != 0 && (uint8_t)result[1] != 0;
  input_stream_drop(in);
  incoming_body_drop(incoming);
  request_drop(request);
  if (!is_whole) {
    // Cut short on one side: so is the other.
    output_stream_drop(out);
    outgoing_body_drop(body);
    return;
  }
  finish_body(body, out);
}
