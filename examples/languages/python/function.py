"""The `wasi-http` contract in Python: a component that answers by the last part of the path, and
shows what becomes of functions that fail."""

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import (Fields, IncomingRequest, OutgoingBody, OutgoingResponse,
                                     ResponseOutparam)

PIECE_BYTES = 16384
WRITE_BYTES = 4096  # what blocking_write_and_flush() takes at once


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        path = (request.path_with_query() or "").partition("?")[0]
        chosen = ANSWERS.get(path.rpartition("/")[2])
        if chosen:
            chosen(request, response_out)
        else:
            answer(response_out, b"hello", {"content-type": b"text/plain"})


def answer(out: ResponseOutparam, text: bytes, fields: dict[str, bytes], status: int = 200) -> None:
    response = OutgoingResponse(Fields.from_list(list(fields.items())))
    response.set_status_code(status)
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    with body.write() as stream:
        stream.blocking_write_and_flush(text)
    OutgoingBody.finish(body, None)


def echo(request: IncomingRequest, out: ResponseOutparam) -> None:
    """What comes in goes out, piece by piece."""
    response = OutgoingResponse(Fields())
    body = response.body()
    ResponseOutparam.set(out, Ok(response))
    incoming = request.consume()  # outlives its stream
    with incoming.stream() as source, body.write() as sink:
        while piece := read(source):
            for at in range(0, len(piece), WRITE_BYTES):
                sink.blocking_write_and_flush(piece[at:at + WRITE_BYTES])
    OutgoingBody.finish(body, None)


def read(source) -> bytes:
    """The next piece; nothing at the end."""
    try:
        return source.blocking_read(PIECE_BYTES)
    except Err as error:
        if isinstance(error.value, StreamError_Closed):
            return b""
        raise


def headers(request: IncomingRequest, out: ResponseOutparam) -> None:
    """The values of the field x-name, in a field of the response."""
    seen = b", ".join(request.headers().get("x-name"))
    answer(out, b"seen", {"content-type": b"text/plain", "x-seen": seen}, 203)


def fail(_request: IncomingRequest, _out: ResponseOutparam) -> None:
    raise ValueError("this function fails")


def loop(_request: IncomingRequest, _out: ResponseOutparam) -> None:
    while True:
        pass


def eat(_request: IncomingRequest, _out: ResponseOutparam) -> None:
    eaten = []
    while True:
        eaten.append(b"\1" * (1 << 20))


ANSWERS = {"echo": echo, "headers": headers, "fail": fail, "loop": loop, "eat": eat}
