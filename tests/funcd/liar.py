"""Servers that do what no S3 server can be made to do: wrong answers, and connections cut short."""

import contextlib
import http.server
import socket
import socketserver
import threading
from typing import Callable


class Liar:
    """Answers each request as it is told: answer(method, path, query) is (status, fields, body)."""

    def __init__(self, port: int, answer: Callable[[str, str, str], tuple[int, dict, bytes]]):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path, _, query = self.path.partition("?")
                status, fields, body = answer(self.command, path, query)
                self.send_response(status)
                self.send_header("connection", "close")  # or it would lie on after its end
                for name, value in fields.items():
                    self.send_header(name, value)
                if "content-length" not in fields:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET
            do_PUT = do_GET

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients may leave at any time

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class CuttingProxy:
    """Passes everything on to a server, and cuts connections after so many bytes of its answers.

    `cuts` says after how many bytes the next connections are cut; those after them are not.
    """

    def __init__(self, to_port: int, cuts: list[int]):
        proxy = self
        self.cuts = cuts

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError), \
                        socket.create_connection(("127.0.0.1", to_port)) as server:
                    threading.Thread(target=proxy._pass, args=(self.request, server),
                                     daemon=True).start()
                    self._answer(server)

            def _answer(self, server):
                passed = 0
                while data := server.recv(4096):
                    passed += len(data)
                    self.request.sendall(data)
                    if proxy.cuts and passed > proxy.cuts[0]:
                        proxy.cuts.pop(0)
                        self.request.shutdown(socket.SHUT_RDWR)
                        return

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self._server.shutdown()
        self._server.server_close()


class HoldingProxy:
    """Passes bytes on to a server, both ways, until so many have gone; then it holds all of them.

    Whoever uses it stands still at that moment, and `held` is set: the moment to end it.
    """

    def __init__(self, to_port: int):
        proxy = self
        self.held = threading.Event()
        self._changed = threading.Condition()
        self._left: int | None = None  # None: no end
        self.passed = 0

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with contextlib.suppress(OSError), \
                        socket.create_connection(("127.0.0.1", to_port)) as server:
                    threading.Thread(target=proxy._pass, args=(self.request, server),
                                     daemon=True).start()
                    proxy._pass(server, self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def hold_after(self, count: int | None) -> None:
        """From now on; None: not at all, and what is held goes on."""
        with self._changed:
            self._left, self.passed = count, 0
            self.held.clear()
            self._changed.notify_all()

    def _take(self, wanted: int) -> int:
        with self._changed:
            while self._left == 0:
                self.held.set()
                self._changed.wait()
            count = wanted if self._left is None else min(wanted, self._left)
            if self._left is not None:
                self._left -= count
            self.passed += count
            return count

    def _pass(self, source: socket.socket, target: socket.socket):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                while data:
                    count = self._take(len(data))
                    target.sendall(data[:count])
                    data = data[count:]
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self.hold_after(None)
        self._server.shutdown()
        self._server.server_close()
