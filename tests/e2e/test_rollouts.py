"""docs/rollouts.md: every command of it says what the page says.

FUNCD_RECORD=1 writes down what they say now.
"""

import os
import re
import subprocess

from funcd import guests, hostile
from funcd.binary import ROOT, clean_environment, find_binary

PAGE = ROOT / "docs" / "rollouts.md"
CONSOLE = re.compile(r"(?<=```console\n)(.*?)(?=```\n)", re.DOTALL)
ADDRESSES = ("127.0.0.1:8000", "127.0.0.1:8001")
FOLDER = "/srv/functions"
INVOCATION = re.compile(r"(?<=\"invocation\":\")[0-9a-f]{16}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def plain(text: str) -> str:
    """Without what differs from run to run: times, ids, the width of columns with ports in them."""
    return re.sub(r"[ \t]+", " ", INVOCATION.sub("ID", TIME.sub("TIME", text)))


def test_the_walk_through_is_true(folder, start, tmp_path):
    for name, content in (("v1", guests.prints(b'{"version":1}')),
                          ("v2", guests.prints(b'{"version":2}')), ("broken", hostile.traps())):
        (tmp_path / f"{name}.wasm").write_bytes(content)
    (tmp_path / "broken.toml").write_text('[smoke]\npath = "/hello"\n')
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "funcd").symlink_to(find_binary())
    server = start(source="./functions")
    real = ["%s:%d" % server.address, "%s:%d" % server.admin_address]
    env = clean_environment(FUNCD_ADMIN=real[1], PATH=f"{tools}:{os.environ['PATH']}")

    def run(command: str) -> str:
        for told, meant in zip(ADDRESSES, real):
            command = command.replace(told, meant)
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, timeout=60, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        said = done.stdout.replace(str(folder.path), FOLDER)
        for told, meant in zip(ADDRESSES, real):
            said = said.replace(meant, told)
        return said if not said or said.endswith("\n") else said + "\n"

    def replay(block: re.Match) -> str:
        commands = [line for line in block[1].splitlines() if line.startswith("$ ")]
        return "".join(f"{command}\n{run(command[2:])}" for command in commands)

    page = PAGE.read_text()
    replayed = CONSOLE.sub(replay, page)
    if os.environ.get("FUNCD_RECORD"):
        PAGE.write_text(replayed)
    else:
        assert plain(replayed) == plain(page)
