"""SIGTERM, SIGINT, SIGHUP: what is in flight is answered, nothing new is accepted, exit code 0."""

import contextlib
import signal
import socket

import pytest

from funcd import guests
from funcd.client import format_request
from funcd.waiting import wait_until


def refuses(address) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def in_flight(server, name: str, count: int = 1) -> bool:
    return server.functions()[name]["in_flight"] == count


@contextlib.contextmanager
def in_flight_on(folder, start, **options):
    """A server, and a connection whose request is answered after 0.7 s."""
    folder.put("slow", guests.sleeps(0.7, '{"slow":1}'))
    server = start(**options)
    with server.connect() as connection:
        connection.send(format_request("GET", "/slow"))
        wait_until(lambda: in_flight(server, "slow"), "the request is in flight")
        server.may_die = True
        yield server, connection


def default_hangup() -> None:
    """Whoever runs the tests may have it ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_request_in_flight_is_answered(folder, start, number):
    with in_flight_on(folder, start, preexec=default_hangup) as (server, connection):
        server.process.send_signal(number)
        wait_until(lambda: refuses(server.address), "no new connection is accepted", 0.6)
        answer = connection.receive()
        assert answer.json == {"slow": 1}
        assert answer.header("connection") == "close"
        assert connection.is_closed_by_peer()
    assert server.wait_exit() == 0


def test_a_terminal_that_closes_says_so_twice(folder, start):
    with in_flight_on(folder, start, preexec=default_hangup) as (server, connection):
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: server.admin("/readyz").status == 503, "/readyz is 503", 0.6)
        server.process.send_signal(signal.SIGHUP)
        assert connection.receive().json == {"slow": 1}
    assert server.wait_exit() == 0
    server.stderr.wait_for("draining cause=SIGHUP")


def test_under_nohup_a_closed_terminal_is_nothing(folder, start):
    folder.put("hello", guests.prints("{}"))
    server = start(preexec=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    server.process.send_signal(signal.SIGHUP)
    assert server.get("/hello").status == 200
    server.may_die = True
    server.terminate()
    assert server.wait_exit() == 0
    assert "SIGHUP" not in server.stderr.text and "SIGTERM" in server.stderr.text


def test_idle_connections_do_not_delay_the_end(folder, start):
    folder.put("hello", guests.prints("{}"))
    server = start()
    with server.connect() as idle, server.connect() as never_used:
        assert idle.request("GET", "/hello").status == 200
        server.may_die = True
        server.terminate()
        assert server.wait_exit(seconds=5) == 0
        assert idle.is_closed_by_peer() and never_used.is_closed_by_peer()


def test_readiness_ends_before_the_server_does(folder, start):
    with in_flight_on(folder, start) as (server, connection):
        server.terminate()
        wait_until(lambda: server.admin("/readyz").status == 503, "/readyz is 503", 0.6)
        assert connection.receive().json == {"slow": 1}
    assert server.wait_exit() == 0


def test_what_outlives_the_drain_timeout_is_cut(folder, start):
    folder.put("slow", guests.sleeps(60, '{"slow":1}'), '[limits]\ntimeout = "2m"\n')
    server = start("--drain-timeout", "300ms")
    with server.connect() as connection:
        connection.send(format_request("GET", "/slow"))
        wait_until(lambda: in_flight(server, "slow"), "the request is in flight")
        server.may_die = True
        server.terminate()
        assert server.wait_exit(seconds=5) == 0


def test_a_pipelined_request_after_the_signal_is_not_half_answered(folder, start):
    """Either answered in full or not at all: never a torn response."""
    folder.put("slow", guests.sleeps(0.4, '{"slow":1}'))
    server = start()
    with server.connect() as connection:
        connection.send(format_request("GET", "/slow") * 2)
        wait_until(lambda: in_flight(server, "slow"), "the request is in flight")
        server.may_die = True
        server.terminate()
        first = connection.receive()
        assert first.json == {"slow": 1}
        if first.header("connection") == "close":
            assert connection.is_closed_by_peer()
        else:
            assert connection.receive().json == {"slow": 1}
    assert server.wait_exit() == 0
