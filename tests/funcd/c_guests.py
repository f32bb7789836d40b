"""Guests in C: compiled by clang with wasi-libc, as users' are."""

import os
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

_FLAGS = ["--target=wasm32-wasi", "--sysroot=/usr", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-Werror"]


def _compiler() -> str:
    for name in [os.environ.get("WASI_CC", ""), "clang-16", "clang"]:
        if name and shutil.which(name):
            return name
    raise AssertionError("no clang found; tools/setup examples installs it")


@lru_cache(maxsize=None)
def compiled(source: str) -> bytes:
    """The module of a C program."""
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder, "guest.c"), Path(folder, "guest.wasm")
        file.write_text(source)
        made = subprocess.run([_compiler(), *_FLAGS, file, "-o", out], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        return out.read_bytes()


_HEAD = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
static void put(const char *text) { fputs(text, stdout); fflush(stdout); }
static void nap(int ms) {
  struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
  nanosleep(&time, NULL);
}
static void put_bytes(char c, int count) {
  static char block[16384];
  memset(block, c, sizeof block);
  for (; count > 0; count -= (int)sizeof block) {
    fwrite(block, 1, count < (int)sizeof block ? (size_t)count : sizeof block, stdout);
  }
  fflush(stdout);
}
int main(int argc, char **argv) {
  (void)argc, (void)argv, (void)put, (void)nap, (void)put_bytes;
"""


def main(body: str) -> bytes:
    """A program whose main is `body`: put(text), put_bytes(char, count) and nap(ms) are at hand."""
    return compiled(_HEAD + body + "\n  return 0;\n}\n")


def echoes(head: str = "Content-Type: application/octet-stream\\n\\n", piece: int = 16384) -> bytes:
    """A CGI program: its header, then what comes on stdin, piece by piece as it comes."""
    return main(f"""
      static char piece[{piece}];
      ssize_t count;
      write(1, "{head}", sizeof "{head}" - 1);
      while ((count = read(0, piece, sizeof piece)) > 0) {{
        for (ssize_t at = 0; at < count;) at += write(1, piece + at, (size_t)(count - at));
      }}""")
