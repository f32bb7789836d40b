"""Calls of WASI preview 1 functions, each with what it is given and what it leaves in memory.

A probe is made into a command that calls one function, prints errno and a piece of memory as one
JSON string of hexadecimal digits, and exits with errno. Addresses: 1024 a buffer of 64 bytes that begins as 0xaa (as 0
where a structure with padding is written, whose padding is anybody's), 2048 the text "a/b", 2100 an
iovec of (1024, 8), 2200 two iovecs of which the first is empty, 3000 to 3200 poll subscriptions.
"""

from dataclasses import dataclass

from funcd.guests import assemble, wat_string

BUFFER, PATH, IOVEC, IOVECS, POLL = 1024, 2048, 2100, 2200, 3000
OUTSIDE = 0xFFFF_FFF0

_I = {"i": "i32", "I": "i64"}
# Parameters of each function: i is i32, I is i64. All return an errno.
SIGNATURES = {
    "args_get": "ii", "args_sizes_get": "ii", "environ_get": "ii", "environ_sizes_get": "ii",
    "clock_res_get": "ii", "clock_time_get": "iIi", "fd_advise": "iIIi", "fd_allocate": "iII",
    "fd_close": "i", "fd_datasync": "i", "fd_fdstat_get": "ii", "fd_fdstat_set_flags": "ii",
    "fd_fdstat_set_rights": "iII", "fd_filestat_get": "ii", "fd_filestat_set_size": "iI",
    "fd_filestat_set_times": "iIIi", "fd_pread": "iiiIi", "fd_prestat_get": "ii",
    "fd_prestat_dir_name": "iii", "fd_pwrite": "iiiIi", "fd_read": "iiii", "fd_readdir": "iiiIi",
    "fd_renumber": "ii", "fd_seek": "iIii", "fd_sync": "i", "fd_tell": "ii", "fd_write": "iiii",
    "path_create_directory": "iii", "path_filestat_get": "iiiii",
    "path_filestat_set_times": "iiiiIIi", "path_link": "iiiiiii", "path_open": "iiiiiIIii",
    "path_readlink": "iiiiii", "path_remove_directory": "iii", "path_rename": "iiiiii",
    "path_symlink": "iiiii", "path_unlink_file": "iii", "poll_oneoff": "iiii",
    "proc_raise": "i", "sched_yield": "", "random_get": "ii", "sock_accept": "iii",
    "sock_recv": "iiiiii", "sock_send": "iiiii", "sock_shutdown": "ii",
}


@dataclass(frozen=True)
class Probe:
    function: str
    arguments: tuple[int, ...]
    shown: int = 32  # bytes of the buffer; 0 where they differ from run to run
    first: str = ""  # a call before: "fd_close 1"

    @property
    def fill(self) -> int:
        return 0 if self.function in ("fd_fdstat_get", "fd_filestat_get", "poll_oneoff") else 0xAA

    @property
    def name(self) -> str:
        before = f"{self.first.replace(' ', '-')}-then-" if self.first else ""
        return before + "-".join([self.function, *map(str, self.arguments)])


def _subscription(tag: int, *fields: tuple[int, int, int]) -> bytes:
    """userdata 7, the tag, and (offset, size, value) of what is in the union."""
    content = bytearray(48)
    content[0] = 7
    content[8] = tag
    for offset, size, value in fields:
        content[offset:offset + size] = value.to_bytes(size, "little")
    return bytes(content)


_SUBSCRIPTIONS = [
    _subscription(0, (16, 4, 1), (24, 8, 1_000_000)),            # 3000: clock, 1 ms
    _subscription(2, (16, 4, 1)),                                # 3048: stdout for writing
    _subscription(1, (16, 4, 99)),                               # 3096: descriptor 99
    _subscription(9),                                            # 3144: no such kind
    _subscription(0, (16, 4, 77), (24, 8, 1)),                   # 3192: no such clock
    _subscription(0, (16, 4, 1), (24, 8, 1), (40, 2, 1)),        # 3240: absolute, long ago
]


def _call(function: str, arguments) -> str:
    kinds = SIGNATURES[function]
    assert len(kinds) == len(arguments), function
    values = " ".join(f"({_I[kind]}.const {value})" for kind, value in zip(kinds, arguments))
    return f"(call ${function} {values})"


def program(probe: Probe) -> bytes:
    """The command of a probe."""
    before = ""
    needed = {"fd_write", probe.function}
    if probe.first:
        function, *arguments = probe.first.split()
        before = f"(drop {_call(function, arguments)})"
        needed.add(function)
    imports = "\n".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param '
        f'{" ".join(_I[kind] for kind in SIGNATURES[name])}) (result i32)))'
        for name in sorted(needed))
    return assemble(f"""(module {imports}
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const {BUFFER}) {wat_string(bytes([probe.fill]) * 64)})
      (data (i32.const {PATH}) "a/b")
      (data (i32.const {IOVEC}) {wat_string(_iovec(BUFFER, 8))})
      (data (i32.const {IOVECS}) {wat_string(_iovec(BUFFER, 0) + _iovec(BUFFER + 16, 4))})
      (data (i32.const {POLL}) {wat_string(b"".join(_SUBSCRIPTIONS))})
      (data (i32.const 500) "0123456789abcdef")
      (data (i32.const 520) "\\22")
      (func $quote
        (i32.store (i32.const 608) (i32.const 520))
        (i32.store (i32.const 612) (i32.const 1))
        (drop (call $fd_write (i32.const 1) (i32.const 608) (i32.const 1) (i32.const 616))))
      (func $put (param $byte i32)
        (i32.store8 (i32.const 600)
          (i32.load8_u offset=500 (i32.shr_u (local.get $byte) (i32.const 4))))
        (i32.store8 (i32.const 601)
          (i32.load8_u offset=500 (i32.and (local.get $byte) (i32.const 15))))
        (i32.store (i32.const 608) (i32.const 600))
        (i32.store (i32.const 612) (i32.const 2))
        (drop (call $fd_write (i32.const 1) (i32.const 608) (i32.const 1) (i32.const 616))))
      (func (export "_start") (local $at i32) (local $errno i32)
        {before}
        (local.set $errno {_call(probe.function, probe.arguments)})
        (call $quote)
        (call $put (local.get $errno))
        (local.set $at (i32.const {BUFFER}))
        (block $done (loop $more
          (br_if $done (i32.ge_u (local.get $at) (i32.const {BUFFER + probe.shown})))
          (call $put (i32.load8_u (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))
          (br $more)))
        (call $quote)
        (call $proc_exit (local.get $errno))))""")


def _iovec(pointer: int, length: int) -> bytes:
    return pointer.to_bytes(4, "little") + length.to_bytes(4, "little")


def _on_each(function: str, *rest: int, descriptors=(0, 1, 2, 3, 99, -1), shown: int = 32):
    return [Probe(function, (fd, *rest), shown) for fd in descriptors]


PROBES: list[Probe] = [
    # Arguments and environment: two of each are given.
    Probe("args_sizes_get", (BUFFER, BUFFER + 8)), Probe("environ_sizes_get", (BUFFER, BUFFER + 8)),
    Probe("args_get", (BUFFER, BUFFER + 16)), Probe("environ_get", (BUFFER, BUFFER + 16)),
    Probe("args_get", (OUTSIDE, BUFFER)), Probe("args_get", (BUFFER, OUTSIDE)),
    Probe("args_sizes_get", (OUTSIDE, BUFFER)), Probe("environ_get", (OUTSIDE, BUFFER)),
    Probe("args_sizes_get", (BUFFER + 1, BUFFER + 8)),
    # Clocks and randomness.
    *[Probe("clock_time_get", (clock, 0, BUFFER), 0) for clock in (0, 1, 2, 3, 4, -1)],
    *[Probe("clock_res_get", (clock, BUFFER), 0) for clock in (0, 1, 2, 3, 4, -1)],
    Probe("clock_time_get", (0, 0, OUTSIDE)), Probe("clock_res_get", (1, OUTSIDE)),
    Probe("random_get", (BUFFER, 16), 0), Probe("random_get", (BUFFER, 0)),
    Probe("random_get", (OUTSIDE, 16)), Probe("random_get", (BUFFER, -1)),
    Probe("sched_yield", ()), *[Probe("proc_raise", (signal,)) for signal in (0, 6, 99)],
    # Descriptors.
    *_on_each("fd_fdstat_get", BUFFER), *_on_each("fd_filestat_get", BUFFER, shown=64),
    *_on_each("fd_prestat_get", BUFFER), *_on_each("fd_prestat_dir_name", BUFFER, 8),
    *_on_each("fd_seek", 0, 1, BUFFER), *_on_each("fd_seek", 0, 9, BUFFER, descriptors=(1, 99)),
    *_on_each("fd_tell", BUFFER), *_on_each("fd_sync"), *_on_each("fd_datasync"),
    *_on_each("fd_advise", 0, 0, 0), *_on_each("fd_advise", 0, 0, 77, descriptors=(1, 99)),
    *_on_each("fd_allocate", 0, 16), *_on_each("fd_filestat_set_size", 0),
    *_on_each("fd_filestat_set_times", 0, 0, 0), *_on_each("fd_filestat_set_times", 0, 0, 3,
                                                           descriptors=(1, 99)),
    *_on_each("fd_fdstat_set_flags", 0), *_on_each("fd_fdstat_set_flags", 4, descriptors=(0, 1)),
    *_on_each("fd_fdstat_set_flags", 64, descriptors=(1, 99)),
    *_on_each("fd_fdstat_set_rights", 0, 0), *_on_each("fd_readdir", BUFFER, 32, 0, BUFFER + 40),
    *_on_each("fd_close"),
    *[Probe("fd_close", (fd,), first=f"fd_close {fd}") for fd in (0, 2)],
    Probe("fd_read", (0, IOVEC, 1, BUFFER + 32), 40, first="fd_close 0"),
    Probe("fd_write", (2, IOVEC, 1, BUFFER + 32), 40, first="fd_close 2"),
    *[Probe("fd_renumber", pair) for pair in (
        (0, 0), (0, 2), (2, 0), (0, 99), (99, 0), (1, 1), (99, 98))],
    Probe("fd_fdstat_get", (0, BUFFER), first="fd_renumber 2 0"),
    Probe("fd_fdstat_get", (2, BUFFER), first="fd_renumber 2 0"),
    *_on_each("fd_fdstat_get", OUTSIDE, descriptors=(1, 99)),
    # Reading and writing; stdin holds 20 bytes.
    *_on_each("fd_read", IOVEC, 1, BUFFER + 32, shown=40),
    *_on_each("fd_read", IOVECS, 2, BUFFER + 32, descriptors=(0, 99), shown=40),
    Probe("fd_read", (0, IOVEC, 0, BUFFER + 32), 40),
    Probe("fd_read", (0, OUTSIDE, 1, BUFFER)), Probe("fd_read", (0, IOVEC, 1, OUTSIDE)),
    *_on_each("fd_write", IOVEC, 1, BUFFER + 32, descriptors=(0, 2, 3, 99), shown=40),
    *_on_each("fd_write", IOVECS, 2, BUFFER + 32, descriptors=(2, 99), shown=40),
    Probe("fd_write", (2, IOVEC, 0, BUFFER + 32), 40),
    Probe("fd_write", (2, OUTSIDE, 1, BUFFER)), Probe("fd_write", (2, IOVEC, 1, OUTSIDE)),
    *_on_each("fd_pread", IOVEC, 1, 0, BUFFER + 32),
    *_on_each("fd_pwrite", IOVEC, 1, 0, BUFFER + 32),
    # Paths: there is no folder to start from.
    *_on_each("path_create_directory", PATH, 3), *_on_each("path_filestat_get", 0, PATH, 3, BUFFER),
    *_on_each("path_filestat_set_times", 0, PATH, 3, 0, 0, 0),
    *_on_each("path_open", 0, PATH, 3, 0, 0, 0, 0, BUFFER),
    *_on_each("path_readlink", PATH, 3, BUFFER, 16, BUFFER + 24),
    *_on_each("path_remove_directory", PATH, 3), *_on_each("path_unlink_file", PATH, 3),
    *[Probe("path_rename", (fd, PATH, 3, fd, PATH, 3)) for fd in (1, 3, 99)],
    *[Probe("path_link", (fd, 0, PATH, 3, fd, PATH, 3)) for fd in (1, 3, 99)],
    *[Probe("path_symlink", (PATH, 3, fd, PATH, 3)) for fd in (1, 3, 99)],
    *[Probe("path_open", (fd, 0, OUTSIDE, 3, 0, 0, 0, 0, BUFFER)) for fd in (1, 3)],
    # Sockets: there are none.
    *_on_each("sock_accept", 0, BUFFER), *_on_each("sock_shutdown", 0),
    *_on_each("sock_recv", IOVEC, 1, 0, BUFFER + 32, BUFFER + 36),
    *_on_each("sock_send", IOVEC, 1, 0, BUFFER + 32),
    *_on_each("sock_shutdown", 9, descriptors=(1, 99)),
    # Polling.
    *[Probe("poll_oneoff", (POLL + 48 * which, BUFFER, 1, BUFFER + 40), 44) for which in range(6)],
    Probe("poll_oneoff", (POLL, BUFFER, 0, BUFFER + 40), 44),
    Probe("poll_oneoff", (POLL, BUFFER, 2, BUFFER + 60), 12),
    Probe("poll_oneoff", (OUTSIDE, BUFFER, 1, BUFFER + 40)),
    Probe("poll_oneoff", (POLL, OUTSIDE, 1, BUFFER + 40)),
]
