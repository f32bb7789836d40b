"""A wall clock that is wrong, for one process."""

import re
import subprocess
from pathlib import Path

from funcd.binary import find_binary

_SOURCE = """
#include <time.h>
time_t time(time_t* into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const time_t wrong = now.tv_sec + (%d);
  if (into) *into = wrong;
  return wrong;
}
"""


def _sanitizer_runtimes() -> list[str]:
    """Those that the binary is linked with. They insist on being first, and pass time() on to what
    comes after them."""
    linked = subprocess.run(["ldd", find_binary()], check=True, timeout=60, capture_output=True, text=True)
    return re.findall(r"=> (\S+/lib[at]san\.so\S*)", linked.stdout)


def wrong_clock(folder: Path, seconds: int) -> dict[str, str]:
    """The environment in which time() is off by so much; it is what requests are signed with."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE % seconds)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True, timeout=60)
    return {"LD_PRELOAD": ":".join([*_sanitizer_runtimes(), str(library)])}
