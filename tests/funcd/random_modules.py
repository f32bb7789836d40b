"""Random modules on a server: published, asked once each, judged."""

from pathlib import Path

from funcd.bounds import COMPILED_S_MAX
from funcd.waiting import wait_until

# Short, as many of them loop.
FLAGS = ("--limits-timeout", "150ms", "--limits-memory", "32MiB", "--limits-response-body", "1MiB",
         "--log-level", "error")

# Whatever such code does, it is the code's own failure.
REASONS = {None, "trap", "exit", "time-limit", "memory-limit", "output-too-large", "bad-output"}


def publish(server, folder, modules: list[Path], seconds: float = COMPILED_S_MAX) -> list[str]:
    """Puts them there; the names of all, once each is live or refused with a reason."""
    for module in modules:
        folder.put(module.stem, module.read_bytes())
    names = [module.stem for module in modules]

    def are_decided():
        functions = server.functions()
        return all(functions.get(name, {}).get("state") in ("live", "failed") for name in names)

    wait_until(are_decided, "each module is live or refused", seconds)
    functions = server.functions()
    for name in names:
        assert functions[name]["state"] == "live" or functions[name]["error"], name
    return names


def judge(server, name: str) -> str:
    """What came of it; raises when that must not be."""
    state = server.functions()[name]["state"]
    answer = server.get(f"/{name}", timeout=20)
    if state == "failed":
        assert answer.status == 404, (name, answer)
        return "refused"
    assert answer.reason in REASONS, (name, answer)
    return f"{answer.status} {answer.reason or ''}".strip()
