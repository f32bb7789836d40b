"""The unit for systemd, beside the settings that docs/operations.md lists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging" / "funcd.service"
SETTINGS = dict(re.findall(r"^\| `([a-z0-9_.]+)` \| `([^`]+)` \|",
                           (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE))


def value(key: str) -> str:
    [found] = re.findall(rf"^{key}=(.*)$", UNIT.read_text(), re.MULTILINE)
    return found


def test_its_variables_are_settings_and_lie_in_its_folders():
    variables = dict(pair.split("=") for pair in value("Environment").split())
    assert set(variables) <= {f"FUNCD_{key.replace('.', '_').upper()}" for key in SETTINGS}
    assert variables["FUNCD_CACHE_DIR"] == f"/var/cache/{value('CacheDirectory')}"
    assert Path(variables["FUNCD_KV_FILE"]).parent == Path(f"/var/lib/{value('StateDirectory')}")


def test_it_is_killed_only_after_the_drain():
    drain_s, stop_s = (int(each.removesuffix("s"))
                       for each in (SETTINGS["drain_timeout"], value("TimeoutStopSec")))
    assert stop_s > drain_s


def test_systemd_understands_it(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/funcd", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
