"""Files that are no functions: each is refused with a reason, and nobody else notices."""

import os

import pytest

from funcd import guests, hostile
from funcd.binary import funcd
from funcd.privileges import obey_permissions

GOOD = guests.prints('{"good":1}')
# Case: the file, and a word that its reason must have.
BAD = {
    "imports-unknown": (hostile.imports_unknown(), "fd_teleport"),
    "imports-foreign": (hostile.imports_foreign_module(), "do_magic"),
    "imports-wrong-type": (hostile.imports_wrong_type(), "fd_write"),
    "lacks-start": (hostile.lacks_start(), "_start"),
    "start-is-no-function": (hostile.start_is_no_function(), "_start"),
    "start-wants-arguments": (hostile.start_wants_arguments(), "_start"),
    "truncated": (hostile.truncated(), ""),
    "bad-section": (hostile.bad_section(), ""),
    "bad-body": (hostile.bad_body(), ""),
    "memory-past-the-limit": (hostile.declares_memory(128 * 16 + 1), "memory"),
    "memory-of-4-gib": (hostile.declares_memory(65536), "memory"),
    "table-past-the-limit": (hostile.declares_table(10_000_000), "table"),
    "header-only": (hostile.NOT_WASM["header-only"], "_start"),
    **{name: (hostile.NOT_WASM[name], "") for name in hostile.NOT_WASM if name != "header-only"},
}


@pytest.fixture(scope="module")
def refusing(serve_all):
    return serve_all({"good": GOOD} | {name: wasm for name, (wasm, _) in BAD.items()})


@pytest.mark.parametrize("name", BAD)
def test_it_fails_with_a_reason(refusing, name):
    function = refusing.functions()[name]
    assert function["state"] == "failed" and function["digest"] is None
    assert function["error"].startswith(f"{name}.wasm: ")
    assert BAD[name][1] in function["error"], function["error"]
    assert "\n" not in function["error"], "one line"
    refusing.stderr.wait_for(rf"\b{name}\b")


@pytest.mark.parametrize("name", BAD)
def test_it_is_not_served(refusing, name):
    answer = refusing.get(f"/{name}")
    assert (answer.status, answer.reason) == (404, "not-found")
    assert refusing.get("/good").body == b'{"good":1}'


@pytest.mark.parametrize("name", BAD)
def test_check_says_so_too(refusing, name):
    done = funcd("check", refusing.folder / f"{name}.wasm")
    assert done.returncode == 1
    said = done.stdout.decode() + done.stderr
    assert f"{name}.wasm" in said and BAD[name][1] in said


def test_the_reason_tells_kinds_of_files_apart(refusing):
    """What a person has put there by mistake is named, where it can be told."""
    functions = refusing.functions()
    assert "empty" in functions["empty"]["error"]
    assert "component" in functions["component"]["error"]
    assert "text" in functions["wat"]["error"].lower()


def test_memory_within_a_raised_limit(folder, start):
    folder.put("large", hostile.declares_memory(200 * 16), '[limits]\nmemory = "256MiB"\n')
    folder.put("small", hostile.declares_memory(32), '[limits]\nmemory = "1MiB"\n')
    server = start()
    assert server.functions()["large"]["state"] == "live"
    error = server.functions()["small"]["error"]
    assert "memory" in error and "1MiB" in error, "it names the limit"


def test_traps_and_loops_at_instantiation(folder, start):
    folder.put("good", GOOD)
    folder.put("traps", hostile.traps_when_instantiated())
    folder.put("loops", hostile.loops_when_instantiated(), '[limits]\ntimeout = "300ms"\n')
    server = start()
    assert server.get("/good").status == 200
    for name in ("traps", "loops"):
        assert server.functions()[name]["state"] == "failed"
        assert server.get(f"/{name}").status == 404


def test_an_unreadable_file(folder, start):
    folder.put("good", GOOD)
    folder.put("secret", GOOD)
    os.chmod(folder / "secret.wasm", 0)
    server = start(preexec=obey_permissions)
    assert "permission" in server.functions()["secret"]["error"].lower()
    assert server.get("/good").status == 200
    os.chmod(folder / "secret.wasm", 0o644)
    server.wait_state("secret", "live")


def test_a_folder_named_like_a_function(folder, server):
    (folder / "dir.wasm").mkdir()
    folder.put("good", GOOD)
    server.wait_body("/good", '{"good":1}')
    assert server.get("/dir").status == 404
    assert server.functions().get("dir", {"state": "failed"})["state"] == "failed"


def test_special_files(folder, server):
    """A pipe never ends and a socket cannot be read: neither may stop the builder."""
    os.mkfifo(folder / "pipe.wasm")
    os.symlink("/dev/zero", folder / "zero.wasm")
    os.symlink("nowhere.wasm", folder / "dangling.wasm")
    os.symlink(".", folder / "loop")
    folder.put("good", GOOD)
    server.wait_body("/good", '{"good":1}')
    problems = server.problems()
    for name in ("pipe", "zero", "dangling"):
        assert server.get(f"/{name}").status == 404 and problems[f"{name}.wasm"]


def test_a_huge_file(folder, server):
    """Refused by its size, not read: here a hole of 10 GiB."""
    with open(folder / "huge.wasm", "wb") as file:
        file.truncate(10 << 30)
    error = server.wait_state("huge", "failed")["error"]
    assert error.startswith("huge.wasm: ") and str(10 << 30) in error
    folder.put("good", GOOD)
    server.wait_body("/good", '{"good":1}')
    assert server.admin("/v1/status").json["rss_bytes"] < 1 << 30


def test_names_that_are_no_names(folder, server):
    names = ["new\nline", "tab\there", "a b", "é", "\udcff\udcfe", "...", "%2e", "a.b", "quote'\"",
             "$(id)", "\x1b[31m"]
    for name in names:
        (folder / f"{name}.wasm").write_bytes(GOOD)
    folder.put("good", GOOD)
    server.wait_body("/good", '{"good":1}')
    assert set(server.functions()) == {"good"} and len(server.problems()) == len(names)
    assert server.admin("/v1/status").json["problems"] and server.metrics()
    assert server.get("/%2e").status in (400, 404)
    assert not any("\x1b" in line for line in server.stderr.lines)
