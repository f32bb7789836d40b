"""`funcd run --dir`: the mounted folder, as Wasmtime has it, and nothing outside of it."""

import os

import pytest

from funcd import guests
from funcd.binary import funcd
from oracle import run_oracle

OPEN = """(import "wasi_snapshot_preview1" "path_open"
  (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"""


def reads(path: str, *, follow: bool = True) -> bytes:
    """Opens a path below the first folder and copies it to stdout; exits with the errno of open."""
    text = path.encode()
    return guests.assemble(f"""(module {OPEN}
      (import "wasi_snapshot_preview1" "fd_read"
        (func $fd_read (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      (memory (export "memory") 2)
      (data (i32.const 1024) {guests.wat_string(text)})
      (func (export "_start") (local $errno i32)
        (local.set $errno (call $path_open (i32.const 3) (i32.const {int(follow)})
          (i32.const 1024) (i32.const {len(text)}) (i32.const 0) (i64.const 2) (i64.const 2)
          (i32.const 0) (i32.const 16)))
        (if (local.get $errno) (then (call $proc_exit (local.get $errno))))
        (i32.store (i32.const 0) (i32.const 65536))
        (i32.store (i32.const 4) (i32.const 4096))
        (drop (call $fd_read (i32.load (i32.const 16)) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))""")


def creates(path: str) -> bytes:
    """Creates a file below the first folder; exits with the errno."""
    text = path.encode()
    return guests.assemble(f"""(module {OPEN}
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      (memory (export "memory") 1) (data (i32.const 1024) {guests.wat_string(text)})
      (func (export "_start") (call $proc_exit (call $path_open (i32.const 3) (i32.const 1)
        (i32.const 1024) (i32.const {len(text)}) (i32.const 1) (i64.const 64) (i64.const 64)
        (i32.const 0) (i32.const 16)))))""")


@pytest.fixture
def mounted(tmp_path):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "file").write_text("inside")
    (inside / "sub" / "deep").write_text("deep")
    (tmp_path / "outside").write_text("outside")
    os.symlink("file", inside / "link")
    os.symlink("../outside", inside / "escape")
    os.symlink(tmp_path / "outside", inside / "absolute")
    os.symlink("..", inside / "up")
    os.symlink("loop", inside / "loop")
    return inside


PATHS = ["file", "sub/deep", "sub/../file", "./file", "link", "none", "sub", "file/", "", ".", "..",
         "../outside", "sub/../../outside", "/file", "/etc/passwd", "escape", "absolute",
         "up/outside", "loop", "file\0x", "sub/../../inside/file"]


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("path", PATHS)
def test_open_as_wasmtime_does(mounted, tmp_path, path, follow):
    wasm = reads(path, follow=follow)
    (tmp_path / "reads.wasm").write_bytes(wasm)
    done = funcd("run", tmp_path / "reads.wasm", "--dir", f"{mounted}::/")
    expected = run_oracle(wasm, folder=mounted)
    how = "trap" if done.returncode == 134 else f"exit {done.returncode}"
    assert (how, done.stdout) == (expected.how, expected.out), done.stderr
    assert b"outside" not in done.stdout and b"root:" not in done.stdout


def test_without_a_folder_there_is_none(tmp_path):
    (tmp_path / "reads.wasm").write_bytes(reads("file"))
    assert funcd("run", tmp_path / "reads.wasm").returncode == 8, "EBADF"


def served(folder, start, wasm: bytes, writable: bool):
    folder.put_file("data/file", "inside")
    folder.put_file("secret", "outside")
    folder.put("guest", wasm, '[[mounts]]\nhost = "data"\nguest = "/data"\n'
               f"writable = {str(writable).lower()}\n")
    return start()


def test_a_served_function_reads_its_mount(folder, start):
    assert served(folder, start, reads("file"), False).get("/guest").body == b"inside"


@pytest.mark.parametrize("path", [
    "../secret", "/secret", "../../../../etc/passwd", "../guest.wasm"])
def test_a_served_function_reads_nothing_else(folder, start, path):
    answer = served(folder, start, reads(path), False).get("/guest")
    assert answer.status == 500 and answer.reason == "exit"


def test_a_mount_is_read_only_unless_it_says_otherwise(folder, start):
    server = served(folder, start, creates("new"), False)
    assert server.get("/guest").status == 500
    assert not (folder / "data/new").exists()


def test_a_writable_mount(folder, start):
    server = served(folder, start, creates("new"), True)
    server.get("/guest")
    assert (folder / "data/new").exists()
