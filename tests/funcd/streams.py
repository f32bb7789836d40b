"""Bodies that go in and come back at the same time."""

from funcd import client

PIECE = 16384


def echoed_in_pieces(connection: client.Connection, target: str, body: bytes, framing: str) -> bytes:
    """Sends a body piece by piece, the second only once the first has come back; what came back."""
    fields = ({"content-length": str(len(body))} if framing == "length"
              else {"transfer-encoding": "chunked"})
    connection.send(client.format_request("POST", target, headers=fields))

    def piece(at: int) -> bytes:
        part = body[at:at + PIECE]
        return part if framing == "length" else b"%x\r\n%b\r\n" % (len(part), part)

    connection.send(piece(0))
    while len(connection.buffer) < PIECE:
        connection.buffer += connection.socket.recv(65536)
    for at in range(PIECE, len(body), PIECE):
        connection.send(piece(at))
        connection.socket.settimeout(0.0)
        try:
            connection.buffer += connection.socket.recv(1 << 20)
        except BlockingIOError:
            pass
        connection.socket.settimeout(30.0)
    if framing == "chunked":
        connection.send("0\r\n\r\n")
    return connection.receive("POST").body
