"""A wall clock that is wrong, for one process."""

import subprocess
from pathlib import Path

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


def wrong_clock(folder: Path, seconds: int) -> dict[str, str]:
    """The environment in which time() is off by so much; it is what requests are signed with."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(_SOURCE % seconds)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True, timeout=60)
    return {"LD_PRELOAD": str(library)}
