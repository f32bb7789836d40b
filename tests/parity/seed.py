"""The article's server as a process."""

import subprocess
import sys
from pathlib import Path

from funcd.server import Output


class Seed:
    """Runs from the folder that holds `functions/`, on a port that the kernel picks."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(
            [sys.executable, Path(__file__).parent / "seed_server.py"], cwd=folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.stderr = Output(self.process.stderr)
        try:
            found = self.stderr.wait_for(r"running on http://([\d.]+):(\d+)", seconds=60)
        except BaseException:
            self.stop()
            raise
        self.address = (found.group(1), int(found.group(2)))

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.stderr.close()
