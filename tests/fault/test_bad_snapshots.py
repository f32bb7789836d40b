"""Reactors whose start, warm-up or snapshot goes wrong: what is served instead, and what is said."""

import re
from pathlib import Path

import pytest

from funcd import guests
from funcd.guests import assemble
from funcd.waiting import is_sanitized

OK = b'{"ok":true}'
WARM = "[snapshot]\nwarm = true\n"


def reactor(initialize: str = "", handle: str = "", extra: str = "") -> bytes:
    """Prints OK; `$calls` counts within an instance."""
    return assemble(f"""(module
      (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
      (memory (export "memory") 1)
      (global $calls (mut i32) (i32.const 0))
      (data (i32.const 100) {guests.wat_string(OK)})
      {extra}
      (func (export "_initialize") {initialize})
      (func (export "handle")
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        {handle}
        (i32.store (i32.const 0) (i32.const 100))
        (i32.store (i32.const 4) (i32.const {len(OK)}))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))""")


LOOP = "(loop $more (br $more))"
GROW = "(if (i32.eq (memory.grow (i32.const 3000)) (i32.const -1)) (then unreachable))"
ONLY_ONCE = "(if (i32.gt_u (global.get $calls) (i32.const 1)) (then unreachable))"

# Served by a plain start, with the reason in the status.
PLAIN = {
    "warm-traps": (reactor(handle=ONLY_ONCE, extra='(func (export "funcd_warm") unreachable)'),
                   WARM, "its funcd_warm fails before the snapshot"),
    "warm-loops": (reactor(extra=f'(func (export "funcd_warm") {LOOP})'), WARM,
                   "its funcd_warm fails before the snapshot: ran longer"),
    "warm-exits": (reactor(extra='(func (export "funcd_warm") (call $proc_exit (i32.const 4)))'),
                   WARM, "it exits with code 4"),
    "second-traps": (reactor(handle=ONLY_ONCE), WARM, "ends otherwise than a plain one"),
    "table": (reactor(extra="(table 1 funcref) (func $f (table.set (i32.const 0) (ref.null func)))"),
              "", "table.set"),
    "mounted": (reactor(), '[[mounts]]\nhost = "data"\nguest = "/data"\n', "remove [[mounts]]"),
}
# Not served: they would fail without a snapshot too.
FAILED = {
    "traps": (reactor("unreachable"), "its _initialize fails before the snapshot"),
    "loops": (reactor(LOOP), "ran longer than its limit"),
    "grows": (reactor(GROW), "wanted more memory"),
    "exits": (reactor("(call $proc_exit (i32.const 3))"), "it exits with code 3"),
    "takes": (assemble("""(module (func (export "_initialize"))
        (func (export "handle") (param i32)))"""), "handle"),
}


@pytest.fixture(scope="module")
def server(serve_all):
    functions = {name: (wasm, sidecar) for name, (wasm, sidecar, _) in PLAIN.items()}
    functions |= {name: wasm for name, (wasm, _) in FAILED.items()}
    functions["good"] = reactor()
    return serve_all(functions, files={"data/readme": "here"})


@pytest.mark.parametrize("name", PLAIN)
def test_what_has_no_snapshot_starts_plainly(server, name):
    said = server.admin(f"/v1/functions/{name}").json["snapshot"]
    assert not said["used"] and PLAIN[name][2] in said["reason"]
    assert server.get(f"/{name}").body == OK


@pytest.mark.parametrize("name", FAILED)
def test_what_cannot_start_is_not_served(server, name):
    function = server.admin(f"/v1/functions/{name}").json
    assert function["state"] == "failed" and FAILED[name][1] in function["error"]
    assert server.get(f"/{name}").status == 404


def test_the_others_notice_nothing(server):
    assert server.admin("/v1/functions/good").json["snapshot"]["used"]
    assert server.get("/good").body == OK


def memory_peak_mib(server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


@pytest.mark.skipif(is_sanitized(), reason="sanitizers have more memory of their own")
def test_what_a_compiler_needs_it_does_not_take_from_the_server(folder, start):
    """A reactor is compiled for its build first: in another process, which ends at its limit."""
    server = start(config='[compile]\nmemory = "64MiB"\n')
    before = memory_peak_mib(server)
    # The baseline compiler knows no tail calls, and the other one no bounds for one function.
    additions = "local.get 0 i32.add local.tee 0 " * 200_000
    folder.put("f", reactor(extra=f"""(func $loop (result i32) return_call $loop)
        (func (param i32) (result i32) local.get 0 {additions})"""))
    assert "compile.memory" in server.wait_state("f", "failed")["error"]
    assert memory_peak_mib(server) < before + 40


def test_a_bad_start_leaves_the_old_revision(folder, start):
    folder.put("f", reactor())
    server = start()
    folder.put_file("f.wasm", reactor("unreachable"))
    function = server.wait_state("f", "stale")
    assert "_initialize" in function["error"] and server.get("/f").body == OK


def test_contract_reactor_is_for_reactors(folder, start):
    folder.put("f", guests.prints("{}"), 'contract = "reactor"\n')
    function = start().wait_state("f", "failed")
    assert "is no reactor" in function["error"] and "_start" in function["error"]


def test_a_warm_up_of_no_snapshot_is_an_error(folder, start):
    folder.put("f", reactor(), "[snapshot]\nstart = false\nwarm = true\n")
    assert "no snapshot that could be warmed" in start().wait_state("f", "failed")["error"]
