"""Projects of other servers, imported and served; what is wrong with one writes nothing."""

import json
import os

import pytest

from funcd import guests
from funcd.binary import clean_environment, funcd
from funcd.folder import Folder

COMPONENT = b"\0asm\x0d\0\1\0"


def write(folder, files: dict):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def files_of(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def imported(source, out, *flags, **options) -> dict:
    done = funcd("import", source, "--to", out, "--json", *flags, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_wagi(project, out, start):
    write(project, {"env.wasm": guests.echoes_env(), "hello.wasm": guests.prints("hello"),
                    "data/motto": "x", "modules.toml": """
[[module]]
route = "/env/..."
module = "env.wasm"
environment = { GREETING = "a \\"b\\"" }
volumes = { "/d" = "data" }
[[module]]
route = "/"
module = "hello.wasm"
[[module]]
route = "/far"
module = "oci:far/away:1.0"
"""})
    told = imported(project / "modules.toml", out)
    assert [f["name"] for f in told["functions"]] == ["env", "index", "env-2"]
    assert "oci:far" in told["not_imported"][0]["what"]
    server = start(folder=Folder(out))
    assert server.get("/").text == "hello"
    for path in ("/env", "/env/some/path"):
        assert 'GREETING=a \\"b\\"' in server.get(path).text
    assert (out / "_mounts/data/motto").read_text() == "x"


def test_wws(project, out, start):
    write(project, {"index.wasm": guests.prints_json({"data": "home"}),
                    "todo/[id].wasm": guests.prints_json({"data": "todo"}),
                    "todo/[id].toml": 'name = "t"\nversion = "1"\n[vars]\nA = "1"\nT = "$TOKEN"\n'
                                      '[data]\n[data.kv]\nnamespace = "todos"\n',
                    "public/a.css": "a{}", "page.js": "x", "_lib/no.wasm": b"no"})
    told = imported(project, out, env=clean_environment(TOKEN="secret"))
    assert {f["name"] for f in told["functions"]} == {"index", "todo/[id]"}
    assert told["not_imported"][0]["from"] == "page.js"
    sidecar = (out / "todo/[id].toml").read_text()
    assert 'namespace = "todos"' in sidecar and 'T = "secret"' in sidecar
    server = start(folder=Folder(out))
    assert server.get("/").text == "home" and server.get("/todo/7").text == "todo"
    assert server.get("/a.css").text == "a{}"


V2 = """
spin_manifest_version = 2
[application]
name = "app"
[application.trigger.http]
base = "/base"
[variables]
host = { default = "api.example.com" }
[[trigger.http]]
route = "/cart/:id/..."
component = "cart"
[[trigger.http]]
route = "/cgi"
component = "cgi"
executor = { type = "wagi" }
[[trigger.redis]]
channel = "c"
component = "cart"
[component.cart]
source = "cart.wasm"
allowed_outbound_hosts = ["https://{{ host }}", "redis://r:6379"]
key_value_stores = ["default"]
[component.cgi]
source = "cgi.wasm"
environment = { A = "{{ host }}" }
"""
V1 = """
spin_manifest_version = "1"
name = "app"
version = "1.0.0"
trigger = { type = "http", base = "/base" }
[[component]]
id = "cgi"
source = "cgi.wasm"
environment = { A = "api.example.com" }
[component.trigger]
route = "/cgi"
executor = { type = "wagi" }
"""


@pytest.mark.parametrize("manifest", [V1, V2], ids=["v1", "v2"])
def test_spin(manifest, project, out, start):
    write(project, {"cart.wasm": COMPONENT, "cgi.wasm": guests.echoes_env(), "spin.toml": manifest})
    told = imported(project, out)
    routes = {f["name"]: f["route"] for f in told["functions"]}
    assert routes["cgi"] == "/base/cgi"
    if manifest == V2:
        assert routes["cart"] == "/base/cart/{id}/*"
        assert 'allow = ["https://api.example.com"]' in (out / "cart.toml").read_text()
        notes = " ".join(note["what"] for note in told["functions"][0]["notes"])
        assert "redis://r:6379" in notes and "key_value_stores" in notes
        assert "redis" in told["not_imported"][0]["from"]
    assert "A=api.example.com" in start(folder=Folder(out)).get("/base/cgi").text


MODULE = '[[module]]\nroute = "/a"\nmodule = "a.wasm"\n'


@pytest.mark.parametrize(("manifest", "words"), [
    (MODULE.replace("a.wasm", "none.wasm"), ["modules.toml:1", "none.wasm"]),
    (MODULE.replace("a.wasm", "../outside.wasm"), ["leads out", "--root"]),
    (MODULE.replace("a.wasm", "link.wasm"), ["leads out"]),
    (MODULE.replace("a.wasm", "modules.toml"), ["not a WebAssembly module"]),
    (MODULE + 'volume = {}\n', ["modules.toml:4", "'volume'", "volumes"]),
    (MODULE + MODULE, ["/a", "modules.toml:1", "modules.toml:4"]),
    (MODULE + "x = [", ["modules.toml:4"]),
    ('[[module]]\nroute = "a b"\nmodule = "a.wasm"\n', ["a b"]),
    ("a = 1\n", ["modules.toml", "no manifest"]),
], ids=["missing", "outside", "link", "no-wasm", "unknown-key", "two-routes", "syntax", "route", "foreign"])
def test_a_bad_project_writes_nothing(manifest, words, project, out):
    write(project.parent, {"outside.wasm": guests.nothing()})
    write(project, {"a.wasm": guests.nothing(), "modules.toml": manifest})
    os.symlink("../outside.wasm", project / "link.wasm")
    done = funcd("import", project / "modules.toml", "--to", out)
    assert done.returncode == 1 and done.stdout == b""
    assert all(word in done.stderr for word in words), done.stderr
    assert not out.exists()


def test_what_is_there_is_not_replaced_unless_forced(project, out):
    write(project, {"a.wasm": guests.nothing(), "b.wasm": guests.nothing(),
                    "modules.toml": MODULE + MODULE.replace("/a", "/b").replace("a.w", "b.w")})
    write(out, {"a.wasm": b"mine"})
    done = funcd("import", project, "--to", out)
    assert done.returncode == 1 and "a.wasm" in done.stderr and "--force" in done.stderr
    assert files_of(out) == {"a.wasm"} and (out / "a.wasm").read_bytes() == b"mine"
    dry = imported(project, out, "--force", "--dry-run")
    assert dry["dry_run"] and (out / "a.wasm").read_bytes() == b"mine"
    told = {file["path"]: file["is"] for file in imported(project, out, "--force")["files"]}
    assert told["a.wasm"] == "replaced" and told["b.wasm"] == "created"
    again = imported(project, out)
    assert {file["is"] for file in again["files"]} == {"unchanged"}
    assert files_of(out) == {"a.wasm", "a.toml", "b.wasm", "b.toml"}


def test_what_fails_on_the_way_is_undone(project, out):
    write(project, {"a.wasm": guests.nothing(), "modules.toml": MODULE})
    write(out, {"keep": b"k"})
    (out / "a.toml").mkdir()
    done = funcd("import", project, "--to", out, "--force")
    assert done.returncode == 1 and "a.toml" in done.stderr
    assert files_of(out) == {"keep"}
