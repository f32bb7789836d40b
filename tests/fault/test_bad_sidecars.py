"""Sidecars with a mistake: the message names key, file and line; the rest is served."""

import pytest

from funcd import guests
from funcd.binary import funcd

GOOD = guests.prints('{"a":1}')
# Name: the sidecar, the line of the mistake or of what names the file at fault, words of the message.
BAD = {
    "unknown-key": ('contract = "data"\nrout = "/x"\n', 2, ["rout"]),
    "unknown-section": ('\n[limit]\ntimeout = "1s"\n', 2, ["limit"]),
    "unknown-key-in-section": ('[limits]\ntimeot = "1s"\n', 2, ["timeot", "limits", "timeout"]),
    "unknown-contract": ('contract = "magic"\n', 1, ["magic", "data"]),
    "contract-no-text": ("contract = 5\n", 1, ["contract"]),
    "methods-no-list": ('methods = "GET"\n', 1, ["methods"]),
    "methods-odd": ('methods = ["GE T"]\n', 1, ["GE T"]),
    "timeout-number": ("[limits]\ntimeout = 10\n", 2, ["timeout"]),
    "timeout-words": ('[limits]\ntimeout = "soon"\n', 2, ["soon"]),
    "timeout-negative": ('[limits]\ntimeout = "-1s"\n', 2, ["-1s"]),
    "timeout-zero": ('[limits]\ntimeout = "0s"\n', 2, ["timeout"]),
    "timeout-past-ceiling": ('[limits]\ntimeout = "24h"\n', 2, ["timeout"]),
    "memory-words": ('[limits]\nmemory = "lots"\n', 2, ["lots"]),
    "memory-past-ceiling": ('[limits]\nmemory = "64GiB"\n', 2, ["memory", "64GiB"]),
    "concurrency-negative": ("[limits]\nconcurrency = -1\n", 2, ["concurrency"]),
    "route-relative": ('route = "users"\n', 1, ["users"]),
    "route-parameter-twice": ('route = "/a/{id}/{id}"\n', 1, ["id"]),
    "route-open-brace": ('route = "/a/{id"\n', 1, ["/a/{id"]),
    "route-star-within": ('route = "/a/*/b"\n', 1, ["/a/*/b"]),
    "env-no-text": ("[env]\nA = 1\n", 2, ["A"]),
    "env-equals": ('[env]\n"A=B" = "c"\n', 2, ["A=B"]),
    "schema-missing": ('[response]\nschema = "nowhere.json"\n', 2, ["nowhere.json"]),
    "schema-outside": ('[response]\nschema = "../outside.json"\n', 2,
                       ["outside.json", "leads out"]),
    "schema-absolute": ('[response]\nschema = "/etc/passwd"\n', 2, ["/etc/passwd"]),
    "schema-folder": ('[response]\nschema = "."\n', 2, ["."]),
    "schema-no-text": ("[response]\nschema = {}\n", 2, ["schema"]),
    "schema-no-json": ('[response]\nschema = "no-json.json"\n', 2, ["no-json.json"]),
    "schema-no-schema": ('[response]\nschema = "no-schema.json"\n', 2, ["no-schema.json"]),
    "schema-bad-type": ('[response]\nschema = "bad-type.json"\n', 2, ["bad-type.json"]),
    "schema-bad-pattern": ('[response]\nschema = "bad-pattern.json"\n', 2, ["bad-pattern.json"]),
    "schema-remote": ('[response]\nschema = "remote.json"\n', 2, ["remote.json"]),
    "mount-outside": ('[[mounts]]\nhost = "../.."\nguest = "/d"\n', 2, ["../.."]),
    "mount-absolute": ('[[mounts]]\nhost = "/etc"\nguest = "/d"\n', 2, ["/etc"]),
    "mount-missing": ('[[mounts]]\nhost = "nowhere"\nguest = "/d"\n', 2, ["nowhere"]),
    "mount-guest-relative": ('[[mounts]]\nhost = "data"\nguest = "d"\n', 3, ["guest"]),
    "syntax": ('contract = "data"\nmethods = [\n', 2, []),
    "duplicate-key": ('contract = "data"\ncontract = "cgi"\n', 2, ["contract"]),
    "no-text-at-all": ("\x00\x01\x02\xff", 1, []),
}
FILES = {
    "no-json.json": "{", "no-schema.json": "[1,2]", "bad-type.json": '{"type":"integr"}',
    "bad-pattern.json": '{"type":"string","pattern":"("}',
    "remote.json": '{"$ref":"http://127.0.0.1:1/x.json"}', "data/file.txt": "x",
    "../outside.json": "{}",
}


@pytest.fixture(scope="module")
def server(serve_all):
    return serve_all({"good": GOOD} | {name: (GOOD, toml) for name, (toml, *_) in BAD.items()},
                     files=FILES)


@pytest.mark.parametrize("name", BAD)
def test_the_message_names_key_file_and_line(server, name):
    function = server.functions()[name]
    assert function["state"] == "failed", "it was accepted"
    _, line, words = BAD[name]
    error = function["error"]
    assert f"{name}.toml:{line}" in error, error
    assert all(word in error for word in words), error
    assert server.get(f"/{name}").status == 404


def test_the_rest_is_served(server):
    assert server.get("/good").body == b'{"a":1}'
    functions = server.functions()
    assert [name for name, each in functions.items() if each["state"] == "live"] == ["good"]


@pytest.mark.parametrize("name", ["unknown-key", "schema-missing", "timeout-words"])
def test_check_of_the_file_says_so(server, name):
    done = funcd("check", server.folder / f"{name}.wasm")
    assert done.returncode == 1
    assert f"{name}.toml" in done.stdout.decode() + done.stderr


def test_serve_check_prints_all_of_it(server):
    done = funcd("serve", server.folder.path, "--check", "--cache-dir", server.cache)
    said = done.stdout.decode() + done.stderr
    assert done.returncode == 1
    assert all(f"{name}.toml" in said for name in BAD), said


def test_a_broken_sidecar_leaves_the_old_revision_live(folder, server_of_own):
    folder.put("hello", GOOD, "[input]\na = 1\n")
    server_of_own.wait_body("/hello", '{"a":1}')
    for broken in ("[input\n", 'contract = "magic"\n', '[limits]\nmemory = "64GiB"\n'):
        folder.put_file("hello.toml", broken)
        stale = server_of_own.wait_state("hello", "stale")
        assert "hello.toml:" in stale["error"]
        assert server_of_own.get("/hello").body == b'{"a":1}'
        folder.put_file("hello.toml", "[input]\na = 1\n")
        server_of_own.wait_state("hello", "live")


@pytest.fixture
def server_of_own(start):
    return start()
