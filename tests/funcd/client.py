"""HTTP/1.1 over a raw socket: what is sent is exactly what a test says."""

import json
import socket
from dataclasses import dataclass, field


class Closed(Exception):
    """The server has closed the connection where a response was due."""


@dataclass
class Response:
    status: int
    version: str = "HTTP/1.1"
    phrase: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a field, or None; a repeated one is joined as RFC 9110 5.3 says."""
        values = [value for key, value in self.fields if key == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def reason(self) -> str | None:
        return self.header("funcd-error")


class Connection:
    """One connection. `timeout` bounds each read, so that no test hangs."""

    def __init__(self, address: tuple[str, int], timeout: float = 30.0):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data: bytes | str):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def _more(self):
        received = self.socket.recv(65536)
        if not received:
            raise Closed(f"closed after {self.buffer[:200]!r}")
        self.buffer += received

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _exactly(self, count: int) -> bytes:
        parts, have = [self.buffer], len(self.buffer)
        while have < count:
            received = self.socket.recv(min(1 << 20, count - have))
            if not received:
                raise Closed(f"{have} of {count} bytes")
            parts.append(received)
            have += len(received)
        whole = b"".join(parts)
        self.buffer = whole[count:]
        return whole[:count]

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._line().split(b";")[0], 16):
            parts.append(self._exactly(size))
            assert self._line() == b""
        while self._line():
            pass
        return b"".join(parts)

    def receive(self, method: str = "GET") -> Response:
        """The next response. Its framing is checked, not only used."""
        version, status, *phrase = self._line().decode("latin-1").split(" ", 2)
        response = Response(int(status), version, phrase[0] if phrase else "")
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            assert name and name == name.strip(), f"bad field {line!r}"
            response.fields.append((name.lower(), value.strip()))
        length = response.header("content-length")
        chunked = response.header("transfer-encoding")
        assert not (length and chunked), "both content-length and transfer-encoding"
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return response
        if chunked:
            assert chunked == "chunked"
            response.body = self._chunks()
        else:
            assert length is not None, f"{response.status} without a length"
            response.body = self._exactly(int(length))
        return response

    def is_closed_by_peer(self) -> bool:
        """Waits for the end of the stream; False when anything else arrives."""
        if self.buffer:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def request(self, method: str, target: str, *, headers: dict | None = None,
                body: bytes | str | None = None) -> Response:
        self.send(format_request(method, target, headers=headers, body=body))
        return self.receive(method)


def format_request(method: str, target: str, *, headers: dict | None = None,
                   body: bytes | str | None = None) -> bytes:
    """The bytes of a request. The target goes out as it is, however odd."""
    fields = {"host": "localhost"} | (headers or {})
    if isinstance(body, str):
        body = body.encode()
    if body is not None:
        fields.setdefault("content-length", str(len(body)))
    head = f"{method} {target} HTTP/1.1\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return head.encode("latin-1") + b"\r\n" + (body or b"")


def request(address: tuple[str, int], method: str, target: str, *, headers: dict | None = None,
            body: bytes | str | None = None, timeout: float = 30.0) -> Response:
    """One request on a connection of its own."""
    with Connection(address, timeout) as connection:
        return connection.request(method, target, headers={"connection": "close"} | (headers or {}),
                                  body=body)
