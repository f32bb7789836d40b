"""WASI preview 1 guests, written in the text format so that each shows what it does.

Every function here returns the bytes of a module. Memory: scratch below 1024, fixed data from
1024 on, strings that the host hands over from HEAP on.
"""

import json
import random
from functools import lru_cache

import wasmtime

HEAP = 65536
PAGE = 65536

_IMPORTS = {
    "fd_write": "(param i32 i32 i32 i32) (result i32)",
    "fd_read": "(param i32 i32 i32 i32) (result i32)",
    "environ_sizes_get": "(param i32 i32) (result i32)",
    "environ_get": "(param i32 i32) (result i32)",
    "args_sizes_get": "(param i32 i32) (result i32)",
    "args_get": "(param i32 i32) (result i32)",
    "poll_oneoff": "(param i32 i32 i32 i32) (result i32)",
    "proc_exit": "(param i32)",
}

# $write(descriptor, pointer, length): all of it, or a trap.
_WRITE = """
(func $write (param $fd i32) (param $at i32) (param $left i32)
  (block $done (loop $more
    (br_if $done (i32.eqz (local.get $left)))
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $left))
    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
      (then unreachable))
    (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
    (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
    (br $more))))
(func $strlen (param $at i32) (result i32) (local $n i32)
  (block $done (loop $more
    (br_if $done (i32.eqz (i32.load8_u (i32.add (local.get $at) (local.get $n)))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br $more)))
  (local.get $n))
(func $room_for (param $bytes i32) (local $pages i32)
  (local.set $pages (i32.sub
    (i32.add (i32.shr_u (local.get $bytes) (i32.const 16)) (i32.const 1)) (memory.size)))
  (if (i32.gt_s (local.get $pages) (i32.const 0))
    (then (if (i32.eq (memory.grow (local.get $pages)) (i32.const -1)) (then unreachable)))))
"""


def wat_string(data: bytes) -> str:
    """Bytes as a string literal of the text format."""
    return '"' + "".join(f"\\{byte:02x}" for byte in data) + '"'


def assemble(wat: str) -> bytes:
    return bytes(wasmtime.wat2wasm(wat))


@lru_cache(maxsize=None)
def module(body: str, data: bytes = b"", *, pages: int = 2, extra: str = "",
           start: str = "_start") -> bytes:
    """A command whose `_start` is `body`; `data` lies at 1024."""
    pages = max(pages, 1 + (1024 + len(data)) // PAGE)
    imports = "\n".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${name} {kind}))'
        for name, kind in _IMPORTS.items())
    segment = f"(data (i32.const 1024) {wat_string(data)})" if data else ""
    return assemble(f"""(module {imports}
      (memory (export "memory") {pages}) {segment} {_WRITE} {extra}
      (func (export "{start}") {body}))""")


def prints(out: bytes | str, *, err: bytes = b"", exit_code: int | None = None,
           trap: bool = False) -> bytes:
    """Writes `out` to stdout and `err` to stderr, then returns, exits or traps."""
    out = out.encode() if isinstance(out, str) else out
    body = f"(call $write (i32.const 1) (i32.const 1024) (i32.const {len(out)}))"
    body += f"(call $write (i32.const 2) (i32.const {1024 + len(out)}) (i32.const {len(err)}))"
    if exit_code is not None:
        body += f"(call $proc_exit (i32.const {exit_code}))"
    if trap:
        body += "unreachable"
    return module(body, out + err)


def prints_many(piece: bytes, times: int) -> bytes:
    """Much output from little memory."""
    return module(f"""(local $i i32)
      (loop $more
        (call $write (i32.const 1) (i32.const 1024) (i32.const {len(piece)}))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (i32.const {times}))))""", piece)


def prints_json(value) -> bytes:
    return prints(json.dumps(value, ensure_ascii=False))


def nothing() -> bytes:
    """Returns at once, having written nothing."""
    return module("")


_POLL_CLOCK = """
(func $sleep (param $ns i64)
  (i64.store (i32.const 64) (i64.const 7))
  (i32.store (i32.const 72) (i32.const 0))
  (i32.store (i32.const 80) (i32.const 1))
  (i64.store (i32.const 88) (local.get $ns))
  (i64.store (i32.const 96) (i64.const 0))
  (i32.store (i32.const 104) (i32.const 0))
  (if (call $poll_oneoff (i32.const 64) (i32.const 128) (i32.const 1) (i32.const 16))
    (then unreachable)))
"""


def padding(seed: int, count: int) -> bytes:
    """A custom section of so many random bytes, which no compiler looks at: to be appended."""
    noise = random.Random(seed).randbytes(count)
    size, left = b"", count + 2
    while True:
        size += bytes([left & 0x7F | (0x80 if left > 0x7F else 0)])
        left >>= 7
        if not left:
            return b"\x00" + size + b"\x01n" + noise


def sleeps(seconds: float, then: bytes | str, *, extra: str = "") -> bytes:
    """Waits on the monotonic clock by poll_oneoff, then prints."""
    then = then.encode() if isinstance(then, str) else then
    return module(f"""(call $sleep (i64.const {int(seconds * 1e9)}))
      (call $write (i32.const 1) (i32.const 1024) (i32.const {len(then)}))""",
                  then, extra=_POLL_CLOCK + extra)


def _for_strings(kind: str, each: str, *, before: str = "", after: str = "") -> str:
    """Runs `each` with $at on every argument or variable, $i being its number."""
    return f"""(local $at i32) (local $i i32) (local $n i32)
      (drop (call ${kind}_sizes_get (i32.const 16) (i32.const 20)))
      (local.set $n (i32.load (i32.const 16)))
      (call $room_for (i32.add (i32.const {HEAP}) (i32.add
        (i32.mul (local.get $n) (i32.const 4)) (i32.load (i32.const 20)))))
      (drop (call ${kind}_get (i32.const {HEAP})
        (i32.add (i32.const {HEAP}) (i32.mul (local.get $n) (i32.const 4)))))
      {before}
      (block $done (loop $more
        (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
        (local.set $at (i32.load (i32.add (i32.const {HEAP})
          (i32.mul (local.get $i) (i32.const 4)))))
        {each}
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $more)))
      {after}"""


_IF_DATA = """
      (if (i32.and (i32.eq (i32.load (local.get $at)) (i32.const 0x41544144))
                   (i32.eq (i32.load8_u offset=4 (local.get $at)) (i32.const 0x3d)))
        (then %s))"""


def echoes_data() -> bytes:
    """Prints the value of the variable DATA."""
    return module(_for_strings("environ", _IF_DATA % """
      (call $write (i32.const 1) (i32.add (local.get $at) (i32.const 5))
        (call $strlen (i32.add (local.get $at) (i32.const 5))))"""))


# $quote(pointer): one string as JSON; data must begin with [",]\ . Control characters are left out.
_QUOTE = """
(func $quote (param $at i32) (local $c i32)
  (call $write (i32.const 1) (i32.const 1025) (i32.const 1))
  (block $done (loop $more
    (br_if $done (i32.eqz (local.tee $c (i32.load8_u (local.get $at)))))
    (if (i32.or (i32.eq (local.get $c) (i32.const 0x22)) (i32.eq (local.get $c) (i32.const 0x5c)))
      (then (call $write (i32.const 1) (i32.const 1028) (i32.const 1))))
    (if (i32.ge_u (local.get $c) (i32.const 0x20))
      (then (call $write (i32.const 1) (local.get $at) (i32.const 1))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br $more)))
  (call $write (i32.const 1) (i32.const 1025) (i32.const 1)))
"""


def describes_data() -> bytes:
    """Prints an Item whose description is the text of DATA."""
    head, tail = b'{"name":"n","age":1,"description":', b"}"
    text = b'[",]\\' + head + tail

    def put(at: int, count: int) -> str:
        return f"(call $write (i32.const 1) (i32.const {1029 + at}) (i32.const {count}))"

    return module(_for_strings(
        "environ", _IF_DATA % "(call $quote (i32.add (local.get $at) (i32.const 5)))",
        before=put(0, len(head)), after=put(len(head), len(tail))), text, extra=_QUOTE)


def _echoes_list(kind: str) -> bytes:
    def put(at: int) -> str:
        return f"(call $write (i32.const 1) (i32.const {at}) (i32.const 1))"

    each = f"(if (local.get $i) (then {put(1026)})) (call $quote (local.get $at))"
    body = _for_strings(kind, each, before=put(1024), after=put(1027))
    return module(body, b'[",]\\', extra=_QUOTE)


def echoes_env() -> bytes:
    """Prints its environment as a JSON array of "KEY=value"."""
    return _echoes_list("environ")


def echoes_args() -> bytes:
    """Prints its arguments as a JSON array."""
    return _echoes_list("args")


def echoes_stdin(exit_code: int = 0) -> bytes:
    """Copies stdin to stdout until its end."""
    return module(f"""(local $n i32)
      (block $done (loop $more
        (i32.store (i32.const 0) (i32.const {HEAP}))
        (i32.store (i32.const 4) (i32.const 65536))
        (br_if $done (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 12)))
        (br_if $done (i32.eqz (local.tee $n (i32.load (i32.const 12)))))
        (call $write (i32.const 1) (i32.const {HEAP}) (local.get $n))
        (br $more)))
      (call $proc_exit (i32.const {exit_code}))""")
