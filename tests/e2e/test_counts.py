"""What a request takes in instructions is what is recorded, or less."""

import subprocess

import pytest

from funcd.binary import ROOT, find_binary
from funcd.examples import component, language_file


@pytest.mark.parametrize("name", ["cjson", "echo", "gojson-reactor", "gojson-snapshot", "gojson-warm", "component", "component-rust"])
def test_a_request_takes_no_more_instructions_than_recorded(name):
    build = find_binary().parent
    if not (build / "bench" / "request_floor").exists() or build.name != "release":
        pytest.skip("counted is the release build")
    if name == "component":
        component("hello")
    if name == "component-rust":
        language_file("rust/http")
    done = subprocess.run([ROOT / "bench" / "count", "--build", build, "--only", name], capture_output=True, text=True,
                          timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
