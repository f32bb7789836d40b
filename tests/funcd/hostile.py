"""Guests that misbehave, and files that are no guests."""

from functools import lru_cache

from funcd.guests import PAGE, assemble, module, prints, sleeps


def loops() -> bytes:
    """Never returns and calls nothing."""
    return module("(loop $forever (br $forever))")


def recurses() -> bytes:
    """Runs out of stack."""
    return module("(call $again)", extra="(func $again (call $again) (call $again))")


def calls_deep(depth: int, then: str) -> bytes:
    """Calls itself so often, then prints."""
    return module(f"""(drop (call $deep (i32.const {depth})))
      (call $write (i32.const 1) (i32.const 1024) (i32.const {len(then)}))""", then.encode(),
                  extra="""(func $deep (param $left i32) (result i32)
        (if (result i32) (local.get $left)
          (then (i32.add (i32.const 1)
            (call $deep (i32.sub (local.get $left) (i32.const 1)))))
          (else (i32.const 0))))""")


def sleeps_with_two_memories(seconds: float) -> bytes:
    """Takes twice its share of a pool that has one memory for each instance."""
    return sleeps(seconds, "{}", extra="(memory 1)")


def traps() -> bytes:
    return module("unreachable")


def divides_by_zero() -> bytes:
    return module("(drop (i32.div_u (i32.const 1) (i32.const 0)))")


def reads_out_of_bounds() -> bytes:
    return module("(drop (i32.load (i32.const -8)))")


def grows_memory() -> bytes:
    """Takes pages until there are none, then traps as an allocator would."""
    return module("""(loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      unreachable""")


def touches_memory(mebibytes: int, then: str) -> bytes:
    """Grows by so much in one step, writes to each page, prints."""
    return touches_pages(mebibytes * 16, then)


def touches_pages(pages: int, then: str) -> bytes:
    body = f"""(local $at i32) (local $end i32)
      (local.set $at (i32.mul (memory.size) (i32.const {PAGE})))
      (if (i32.eq (memory.grow (i32.const {pages})) (i32.const -1)) (then unreachable))
      (local.set $end (i32.mul (memory.size) (i32.const {PAGE})))
      (loop $more
        (i32.store (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
      (call $write (i32.const 1) (i32.const 1024) (i32.const {len(then)}))"""
    return module(body, then.encode())


def grows_table() -> bytes:
    """Takes table elements until there are none: memory that a memory limit does not see."""
    return module("""(loop $more
        (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1))))
      unreachable""", extra="(table $t 1 funcref)")


def prints_forever(descriptor: int) -> bytes:
    return module(f"""(loop $forever
      (call $write (i32.const {descriptor}) (i32.const 1024) (i32.const {PAGE}))
      (br $forever))""", b"x" * PAGE, pages=3)


def prints_lines_to_stderr(lines: int, out: str) -> bytes:
    """Many lines on stderr, then a good answer."""
    text = b"a guest complains\n"
    return module(f"""(local $i i32)
      (loop $more
        (call $write (i32.const 2) (i32.const 1024) (i32.const {len(text)}))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $more (i32.lt_u (local.get $i) (i32.const {lines}))))
      (call $write (i32.const 1) (i32.const {1024 + len(text)}) (i32.const {len(out)}))""",
                  text + out.encode())


def imports_unknown() -> bytes:
    return assemble("""(module
      (import "wasi_snapshot_preview1" "fd_teleport" (func (param i32)))
      (memory (export "memory") 1) (func (export "_start")))""")


def imports_foreign_module() -> bytes:
    return assemble("""(module (import "env" "do_magic" (func))
      (memory (export "memory") 1) (func (export "_start")))""")


def imports_wrong_type() -> bytes:
    return assemble("""(module
      (import "wasi_snapshot_preview1" "fd_write" (func (param i64)))
      (memory (export "memory") 1) (func (export "_start")))""")


def lacks_start() -> bytes:
    return module("", start="not_start")


def lacks_memory() -> bytes:
    return assemble("""(module
      (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (func (export "_start")
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))""")


def start_is_no_function() -> bytes:
    return assemble("""(module (memory (export "memory") 1)
      (global (export "_start") i32 (i32.const 1)))""")


def start_wants_arguments() -> bytes:
    return assemble("""(module (memory (export "memory") 1)
      (func (export "_start") (param i32)))""")


def traps_when_instantiated() -> bytes:
    return assemble("""(module (memory (export "memory") 1) (start $s)
      (func $s unreachable) (func (export "_start")))""")


def loops_when_instantiated() -> bytes:
    return assemble("""(module (memory (export "memory") 1) (start $s)
      (func $s (loop $forever (br $forever))) (func (export "_start")))""")


def declares_memory(pages: int) -> bytes:
    return assemble(f"""(module (memory (export "memory") {pages})
      (func (export "_start")))""")


def writes_stderr(count: int, then: str) -> bytes:
    """So many bytes there, then a good answer."""
    return prints(then, err=b"e" * count)


def declares_table(elements: int) -> bytes:
    return assemble(f"""(module (memory (export "memory") 1) (table {elements} funcref)
      (func (export "_start")))""")


@lru_cache(maxsize=None)
def slow_to_compile(functions: int) -> bytes:
    """A good module with so many functions that compiling it takes a while."""
    one = "(func (param i32) (result i32) " + "(local.get 0)" + "".join(
        f"(i32.mul (i32.const {i}) (local.get 0)) i32.add" for i in range(120)) + ")"
    text = b'{"slow":"compiled"}'
    return module(f"(call $write (i32.const 1) (i32.const 1024) (i32.const {len(text)}))",
                  text, extra=one * functions)


def truncated() -> bytes:
    whole = prints('{"a":1}')
    return whole[: len(whole) // 2]


def bad_section() -> bytes:
    """A header, then a section of a kind that does not exist."""
    return b"\0asm\1\0\0\0" + bytes([77, 3, 1, 2, 3])


def bad_body() -> bytes:
    """Well formed, but a function leaves the wrong type on the stack."""
    return (b"\0asm\1\0\0\0" + b"\1\4\1\x60\0\0" + b"\3\2\1\0"
            + b"\x07\x0a\1\6_start\0\0" + b"\x0a\6\1\4\0\x41\0\x0b")


NOT_WASM = {
    "empty": b"",
    "text": b"#!/bin/sh\necho hello\n",
    "elf": b"\x7fELF\2\1\1" + bytes(57),
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    "html": b"<!doctype html><title>404</title>",
    "magic-only": b"\0asm",
    "future-version": b"\0asm\2\0\0\0",
    "header-only": b"\0asm\1\0\0\0",
    "component": b"\0asm\x0d\0\1\0",
    "wat": b'(module (func (export "_start")))',
}
