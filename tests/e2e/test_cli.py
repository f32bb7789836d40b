"""The command line around serving: help, usage, start-up, configuration, talking to a server."""

import json
import re

import pytest

from funcd import guests, hostile
from funcd.binary import ROOT, clean_environment, funcd

VERBS = ["serve", "run", "check", "compile", "import", "list", "status", "logs", "invoke"]
HELLO = '{"hello":"world"}'


def test_version():
    done = funcd("--version")
    declared = re.search(r"project\(funcd VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())
    assert done.returncode == 0 and done.stdout.decode().strip() == f"funcd {declared.group(1)}"


def test_help_names_every_command():
    done = funcd("--help")
    assert done.returncode == 0 and done.stderr == ""
    assert all(re.search(rf"^\s+{verb}\b", done.stdout.decode(), re.M) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_command(verb):
    done = funcd(verb, "--help")
    text = done.stdout.decode()
    assert done.returncode == 0 and done.stderr == "" and verb in text
    assert "Example" in text, "help shows how it is used"
    assert all(len(line) <= 120 for line in text.splitlines())


def test_help_of_serve_tells_every_flag_and_default():
    text = funcd("serve", "--help").stdout.decode()
    for word in ("--listen", "--admin", "--config", "--workers", "--cache-dir", "--check",
                 "127.0.0.1:8000", "127.0.0.1:8001", "--limits-timeout", "10s", "128MiB"):
        assert word in text, word


@pytest.mark.parametrize("arguments", [
    [], ["serv"], ["--nonsense"], ["serve", "--nonsense"], ["serve", "--listne", "x"],
    ["serve", "a", "b"], ["serve", "--listen"], ["run"], ["run", "a.wasm", "--env"], ["check"],
    ["compile"], ["compile", "a.wasm", "b.wasm"], ["list", "a", "b"], ["invoke"],
    ["run", "a.wasm", "--timeout", "soon"], ["run", "a.wasm", "--env", "=x"],
    ["serve", "--workers", "many"],
])
def test_wrong_usage_is_2(arguments, tmp_path):
    done = funcd(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == b"" and done.stderr.startswith("funcd: ")


@pytest.mark.parametrize(("arguments", "words"), [
    (["serve", "--check", "--access-log=zz"], "--access-log: expected one of true, false"),
    (["serve", "--check", "--epochs=zz"], "--epochs: expected one of true, false"),
    (["serve", "--check", "--compile-baseline=99999999999999999999"], "--compile-baseline: "),
    (["serve", "--check=zz"], "--check: expected nothing, true or false, got 'zz'"),
    (["rollback", "hello", "newest"], "REVISION: expected a number, got 'newest'"),
    (["rollback", "hello", "-1"], "REVISION: expected a number, got '-1'"),
    (["canary", "hello", "5%", "--revision", "-1"], "--revision: expected a number, got '-1'"),
    (["snapshot", "a.wasm", "--data", "{bad"], "--data: expected JSON, got '{bad'"),
    (["status", "--admin", "http://127.0.0.1:1"], "--admin: address 'http://127.0.0.1:1': is a"),
    (["serve", "--check", "--workers", "0"], "--workers: expected a number from 1"),
    (["serve", "--check", "--listen", "bad"], "--listen: address 'bad'"),
    (["serve", "--check", "--errors", "foo"], "--errors: expected one of precise"),
    (["check", "a.wasm", "--limits-timeout", "5x"], "--limits-timeout: "),
    (["deploy", "a.wasm", "--wait", "--timeout", "5x"], "--timeout: "),
    (["status", "--admin", "nonsense"], "--admin: address 'nonsense'"),
    (["logs", "hello", "--admin", "nonsense"], "--admin: address 'nonsense'"),
    (["invoke", "hello", "--admin", "nonsense"], "--admin: address 'nonsense'"),
])
def test_a_bad_value_of_a_flag_is_wrong_usage(arguments, words, tmp_path):
    (tmp_path / "functions").mkdir()
    done = funcd(*arguments, cwd=tmp_path)
    assert done.returncode == 2 and f"funcd: {words}" in done.stderr, done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize(("arguments", "name"), [
    (["serve", "--check", "--workers", "1", "--workers", "2"], "--workers"),
    (["serve", "--admin", "off", "--admin", "off"], "--admin"),
    (["status", "--admin", "[::1]:1", "--admin", "[::1]:2"], "--admin"),
    (["list", "a", "--source", "b"], "SOURCE (--source)"),
])
def test_a_flag_given_twice(arguments, name, tmp_path):
    done = funcd(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"funcd: {name} is given more than once\n"), done.stderr


@pytest.mark.parametrize("variable", ["FUNCD_WORKERS", "FUNCD_ACCESS_LOG"])
def test_a_bad_variable_is_a_bad_setting(variable, tmp_path):
    done = funcd("serve", "--check", cwd=tmp_path, env=clean_environment(**{variable: "zz"}))
    assert done.returncode == 1 and variable in done.stderr


@pytest.mark.parametrize(("value", "code"), [
    (None, 0), ("true", 0), ("off", 0), ("1", 0), ("0", 0)])
def test_a_switch_takes_a_value(value, code, folder):
    flag = "--access-log" if value is None else f"--access-log={value}"
    done = funcd("serve", folder.path, "--check", flag,
                 "--cache-dir", folder.path.parent / "cache")
    assert done.returncode == code, done.stderr


def test_a_typo_is_told():
    assert "'serve'" in funcd("serv").stderr
    assert "--listen" in funcd("serve", "--listne", "x").stderr
    said = funcd("serve", "--listne", "x", "--workers").stderr
    assert said.startswith("funcd: unknown flag --listne, did you mean '--listen'?\n"), said


def test_the_table_at_start(folder, start):
    folder.put("hello", guests.prints(HELLO))
    folder.put("api/users", (guests.echoes_data()), 'contract = "data"\nroute = "/users/{id}"\n')
    folder.put("broken", hostile.truncated())
    folder.put_file("Bad Name.wasm", guests.prints(HELLO))
    server = start()
    server.stdout.wait_for("3 functions: 2 live, 1 failed")
    url = f"http://127.0.0.1:{server.address[1]}"
    lines = server.stdout.lines
    assert any(re.match(rf"hello +auto +{url}/hello\b.* live", line) for line in lines), lines
    assert any(re.match(rf"api/users +data +{url}/users/\{{id\}} .* live", line) for line in lines)
    assert any(re.match(r"failed +broken: broken\.wasm: ", line) for line in lines), lines
    server.stdout.wait_for("Bad Name.wasm")


def test_serve_check_of_a_good_folder(folder):
    folder.put("hello", guests.prints(HELLO), 'contract = "data"\n')
    done = funcd("serve", folder.path, "--check", "--cache-dir", folder.path.parent / "cache")
    assert done.returncode == 0 and "hello" in done.stdout.decode()
    assert "listening" not in done.stdout.decode()


def test_serve_check_of_a_bad_folder(folder):
    folder.put("hello", guests.prints(HELLO))
    folder.put("broken", hostile.truncated())
    done = funcd("serve", folder.path, "--check", "--cache-dir", folder.path.parent / "cache")
    assert done.returncode == 1 and "broken" in done.stdout.decode() + done.stderr


def test_serve_check_of_a_bad_config(folder, tmp_path):
    (tmp_path / "funcd.toml").write_text("wokrers = 1\n")
    done = funcd("serve", folder.path, "--check", "--config", tmp_path / "funcd.toml")
    assert done.returncode in (1, 2) and "wokrers" in done.stderr


def test_the_default_folder_and_config(tmp_path):
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "hello.wasm").write_bytes(guests.prints(HELLO))
    assert funcd("serve", "--check", "--cache-dir", tmp_path / "c", cwd=tmp_path).returncode == 0
    (tmp_path / "funcd.toml").write_text("wokrers = 1\n")
    done = funcd("serve", "--check", cwd=tmp_path)
    assert done.returncode in (1, 2) and "funcd.toml:1" in done.stderr


def test_flag_before_variable_before_file(folder, start):
    folder.put("hello", guests.prints(HELLO))
    config = "workers = 2\nerrors = 'bad-request'\n[limits]\ntimeout = '3s'\nmemory = '32MiB'\n"
    server = start("--limits-timeout", "1s", config=config,
                   env={"FUNCD_LIMITS_TIMEOUT": "2s", "FUNCD_LIMITS_MEMORY": "16MiB"})
    limits = server.functions()["hello"]["limits"]
    assert (limits["timeout_ms"], limits["memory_bytes"]) == (1000, 16 << 20)
    assert server.admin("/v1/status").json["workers"] == 2
    assert server.get("/nobody").status == 400


def test_relative_paths_of_a_config_are_its_own(tmp_path):
    (tmp_path / "etc" / "functions").mkdir(parents=True)
    (tmp_path / "etc" / "functions" / "hello.wasm").write_bytes(guests.prints(HELLO))
    (tmp_path / "etc" / "funcd.toml").write_text("source = 'functions'\n")
    done = funcd("serve", "--check", "--config", tmp_path / "etc" / "funcd.toml",
                 "--cache-dir", tmp_path / "c", cwd=tmp_path)
    assert done.returncode == 0 and "hello" in done.stdout.decode()


@pytest.fixture
def live(folder, start):
    folder.put("hello", guests.prints(HELLO))
    folder.put("echo", guests.echoes_data())
    folder.put("user", guests.echoes_data(), 'route = "/users/{id}"\n')
    return start()


def admin_flag(server):
    return "--admin", f"127.0.0.1:{server.admin_address[1]}"


def test_status(live, folder):
    done = funcd("status", *admin_flag(live))
    assert done.returncode == 0 and str(live.process.pid) in done.stdout.decode()
    document = json.loads(funcd("status", "--json", *admin_flag(live)).stdout)
    assert {each["name"] for each in document["functions"]} == {"hello", "echo", "user"}
    folder.put("broken", hostile.truncated())
    live.wait_state("broken", "failed")
    assert funcd("status", *admin_flag(live)).returncode == 1


def test_status_by_variable(live):
    env = clean_environment(FUNCD_ADMIN=f"127.0.0.1:{live.admin_address[1]}")
    assert funcd("status", env=env).returncode == 0


def test_status_by_a_variable_that_is_no_address():
    done = funcd("status", env=clean_environment(FUNCD_ADMIN="nonsense"))
    assert done.returncode == 1
    assert "environment variable FUNCD_ADMIN: address 'nonsense'" in done.stderr


@pytest.mark.parametrize("verb", [["status"], ["logs", "hello"], ["invoke", "hello"]])
def test_a_config_names_the_admin_address(live, verb, tmp_path):
    """The flag goes before the variable, that before the file."""
    good, bad = f"127.0.0.1:{live.admin_address[1]}", "127.0.0.1:1"

    def ask(in_file: str, variable: str = "", *flags: str):
        (tmp_path / "funcd.toml").write_text(f"admin = '{in_file}'\n")
        return funcd(*verb, *flags, cwd=tmp_path, env=clean_environment(FUNCD_ADMIN=variable))

    assert ask(good).returncode == 0
    assert ask(bad).returncode == 1 and ask(bad, good).returncode == 0
    assert ask(good, bad).returncode == 1 and ask(bad, bad, "--admin", good).returncode == 0
    off = ask("off")
    assert off.returncode == 1 and "funcd.toml: admin is off" in off.stderr
    ask(good)
    (tmp_path / "elsewhere").mkdir()
    done = funcd(*verb, "--config", tmp_path / "funcd.toml", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr


def test_status_without_a_server(folder):
    done = funcd("status", "--admin", "127.0.0.1:1")
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr


def test_list_of_a_running_server(live, folder):
    done = funcd("list", *admin_flag(live))
    text = done.stdout.decode()
    assert done.returncode == 0 and "user " in text and "/users/{id}" in text
    assert f"http://127.0.0.1:{live.address[1]}/hello" in text
    document = json.loads(funcd("list", "--json", *admin_flag(live)).stdout)
    of_folder = json.loads(funcd("list", "--json", folder.path, "--cache-dir", live.cache).stdout)
    assert document.keys() == of_folder.keys()
    assert [each.keys() for each in document["functions"]] == [
        each.keys() for each in of_folder["functions"]]
    assert {each["name"] for each in document["functions"]} == {"hello", "echo", "user"}
    folder.put("broken", hostile.truncated())
    live.wait_state("broken", "failed")
    done = funcd("list", *admin_flag(live))
    assert done.returncode == 1 and "broken.wasm: " in done.stdout.decode()


def test_list_of_a_server_that_is_not_there():
    done = funcd("list", "--admin", "127.0.0.1:1")
    assert done.returncode == 1 and "no funcd answers: 127.0.0.1:1" in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize(("arguments", "name"), [
    (["./functions"], "SOURCE (--source)"), (["--source", "x"], "SOURCE (--source)"),
    (["--limits-timeout", "1s"], "--limits-timeout")])
def test_list_of_a_server_and_of_a_source(arguments, name):
    done = funcd("list", *arguments, "--admin", "127.0.0.1:1")
    assert done.returncode == 2
    assert f"{name} and --admin cannot be given both" in done.stderr


def test_list_asks_no_server_that_a_variable_names(folder, tmp_path):
    folder.put("here", guests.prints(HELLO))
    env = clean_environment(FUNCD_ADMIN="127.0.0.1:1")
    done = funcd("list", folder.path, "--cache-dir", tmp_path / "c", env=env)
    assert done.returncode == 0 and "here" in done.stdout.decode()


def test_invoke(live):
    done = funcd("invoke", "hello", *admin_flag(live))
    assert (done.returncode, done.stdout.decode().strip()) == (0, HELLO)
    done = funcd("invoke", "echo", "--data", '{"a":1}', *admin_flag(live))
    assert json.loads(done.stdout) == {"a": 1}
    done = funcd("invoke", "user", "--path", "/users/7", *admin_flag(live))
    assert json.loads(done.stdout) == {"id": "7"}


def test_invoke_that_fails(live):
    done = funcd("invoke", "nobody", *admin_flag(live))
    assert done.returncode == 1 and "nobody" in done.stderr
    done = funcd("invoke", "echo", "--data", "{", *admin_flag(live))
    assert done.returncode == 1 and "400" in done.stderr
