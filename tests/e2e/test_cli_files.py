"""Commands that ask about files: check, compile, list."""

import json

import pytest

from funcd import guests, hostile
from funcd.binary import funcd

HELLO = '{"hello":"world"}'


def test_check_of_a_good_file(folder):
    folder.put("hello", guests.prints(HELLO), 'contract = "data"\n[limits]\nmemory = "16MiB"\n')
    done = funcd("check", folder / "hello.wasm")
    text = done.stdout.decode()
    assert done.returncode == 0 and done.stderr == ""
    for word in ("hello.wasm", "data", "fd_write", "16MiB", "10s", "/hello"):
        assert word in text, word


def test_check_in_json(folder):
    folder.put("hello", guests.prints(HELLO))
    done = funcd("check", "--json", folder / "hello.wasm")
    assert done.returncode == 0 and "hello" in json.dumps(json.loads(done.stdout))


def test_check_of_several(folder):
    folder.put("good", guests.prints(HELLO))
    folder.put("bad", hostile.imports_unknown())
    done = funcd("check", folder / "good.wasm", folder / "bad.wasm")
    said = done.stdout.decode() + done.stderr
    assert done.returncode == 1 and "good.wasm" in said and "fd_teleport" in said


def test_check_of_two_that_want_one_route(folder):
    folder.put("a", guests.prints(HELLO), 'route = "/same"\n')
    folder.put("b", guests.prints(HELLO), 'route = "/same"\n')
    done = funcd("check", folder / "a.wasm", folder / "b.wasm")
    assert done.returncode == 1
    assert "b.wasm: not served: route /same: is that of both 'a' and 'b'" in done.stdout.decode()
    documents = json.loads(funcd("check", "--json", folder / "a.wasm", folder / "b.wasm").stdout)
    assert [each["is_served"] for each in documents["files"]] == [True, False]


def test_check_of_what_is_no_function_s(folder):
    folder.put_file("public/q.wasm", guests.prints(HELLO))
    done = funcd("check", "--source", folder.path, folder / "public" / "q.wasm")
    assert done.returncode == 1 and "q.wasm: not served: lies in public/" in done.stdout.decode()


def test_check_tells_which_folder_it_took(folder):
    folder.put("api/users", guests.prints(HELLO))
    text = funcd("check", folder / "api" / "users.wasm").stdout.decode()
    assert "served at /users\n" in text and "--source names another" in text
    text = funcd("check", "--source", folder.path, folder / "api" / "users.wasm").stdout.decode()
    assert "served at /api/users\n" in text and "--source names another" not in text


def test_check_of_a_folder(folder):
    folder.put("good", guests.prints(HELLO))
    folder.put("api/bad", hostile.truncated())
    done = funcd("check", folder.path)
    said = done.stdout.decode() + done.stderr
    assert done.returncode == 1 and "good" in said and "api/bad" in said
    folder.remove("api/bad.wasm")
    assert funcd("check", folder.path).returncode == 0


@pytest.mark.parametrize(("name", "word"), [
    ("empty", "empty"), ("elf", "ELF"), ("component", "component"), ("text", ""), ("html", "")])
def test_check_tells_what_a_file_is(tmp_path, name, word):
    (tmp_path / f"{name}.wasm").write_bytes(hostile.NOT_WASM[name])
    done = funcd("check", tmp_path / f"{name}.wasm")
    said = done.stdout.decode() + done.stderr
    assert done.returncode == 1 and word in said and f"{name}.wasm" in said


@pytest.mark.parametrize("name", ["none.wasm", "none"])
def test_check_of_nothing(tmp_path, name):
    done = funcd("check", tmp_path / name)
    said = done.stdout.decode() + done.stderr
    assert done.returncode == 1 and f"{name}: not served: no such file or folder" in said


def test_compile_writes_whole_files_only(tmp_path):
    (tmp_path / "good.wasm").write_bytes(guests.prints("hi"))
    (tmp_path / "bad.wasm").write_bytes(hostile.truncated())
    assert funcd("compile", tmp_path / "good.wasm").returncode == 0
    assert (tmp_path / "good.cwasm").stat().st_size > 0
    done = funcd("compile", tmp_path / "bad.wasm")
    assert done.returncode == 1 and "bad.wasm" in done.stderr
    assert not (tmp_path / "bad.cwasm").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"good.wasm", "good.cwasm", "bad.wasm"}


def test_compile_keeps_its_source(tmp_path):
    source = tmp_path / "a.wasm"
    source.write_bytes(guests.prints("hi"))
    done = funcd("compile", source, "-o", tmp_path / "." / "a.wasm")
    assert done.returncode == 1 and "name another file with -o" in done.stderr
    assert source.read_bytes() == guests.prints("hi")


def test_compile_to_where_nothing_can_be_written(tmp_path):
    (tmp_path / "good.wasm").write_bytes(guests.prints("hi"))
    done = funcd("compile", tmp_path / "good.wasm", "-o", tmp_path / "no" / "such" / "x.cwasm")
    assert done.returncode == 1 and "x.cwasm" in done.stderr


def test_damaged_compiled_code_is_refused(tmp_path):
    (tmp_path / "good.wasm").write_bytes(guests.prints("hi"))
    funcd("compile", tmp_path / "good.wasm")
    code = (tmp_path / "good.cwasm").read_bytes()
    (tmp_path / "good.cwasm").write_bytes(code[: len(code) // 2])
    assert funcd("run", tmp_path / "good.cwasm").returncode == 1


def test_list_of_a_folder(folder):
    folder.put("hello", guests.prints(HELLO))
    folder.put("api/users", guests.prints(HELLO), 'route = "/users/{id}"\ncontract = "data"\n')
    done = funcd("list", folder.path)
    text = done.stdout.decode()
    assert done.returncode == 0
    for word in ("hello", "/hello", "api/users", "/users/{id}", "data"):
        assert word in text, word


def test_list_in_json(folder):
    folder.put("hello", guests.prints(HELLO))
    folder.put("bad", hostile.truncated())
    done = funcd("list", "--json", folder.path)
    functions = {each["name"]: each for each in json.loads(done.stdout)["functions"]}
    assert functions["hello"]["route"] == "/hello" and functions["hello"]["error"] is None
    assert functions["bad"]["error"]


def test_list_of_an_empty_folder(folder):
    done = funcd("list", folder.path)
    assert done.returncode == 0


def test_list_of_a_folder_that_is_not_there(tmp_path):
    done = funcd("list", tmp_path / "nowhere")
    assert done.returncode == 1 and "nowhere" in done.stderr
