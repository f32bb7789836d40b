"""The bucket is the deployment: what is put there is served, on a real S3 server."""

import hashlib
import json

from funcd import guests
from funcd.binary import clean_environment, funcd
from funcd.bucket import KEY, SECRET, Bucket
from funcd.waiting import wait_until


def version(number: int) -> bytes:
    return guests.prints(f'{{"v":{number}}}')


def body(number: int) -> bytes:
    return f'{{"v":{number}}}'.encode()


def bucket_of(server) -> dict:
    return server.admin("/v1/status").json["bucket"]


def test_put_swap_and_delete(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.put("api/users.wasm", version(2))
    server = start_on(bucket)
    assert server.get("/hello").body == body(1)
    assert server.get("/api/users").body == body(2)
    bucket.put("hello.wasm", version(3))
    server.wait_body("/hello", body(3))
    bucket.remove("hello.wasm")
    wait_until(lambda: server.get("/hello").status == 404, "hello is gone")
    assert server.get("/api/users").body == body(2)
    status = server.admin("/v1/status").json
    assert status["source"] == bucket.url and status["source_error"] is None
    assert status["bucket"]["state"] == "current" and status["bucket"]["objects"] == 1


def test_sidecars_schemas_and_public_files_come_along(bucket, start_on):
    bucket.put("hello.toml", 'route = "/greet"\n[input]\nname = "n"\n')
    bucket.put("hello.wasm", guests.echoes_data())
    bucket.put("item.wasm", guests.prints('{"name":"a","age":1,"more":2}'))
    bucket.put("item.toml", '[response]\nschema = "item.schema.json"\n')
    bucket.put("item.schema.json", json.dumps({
        "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"]}))
    bucket.put("public/style.css", "body {}")
    server = start_on(bucket)
    assert server.get("/greet").json == {"name": "n"}
    assert server.get("/item").json == {"name": "a", "age": 1}
    assert server.get("/style.css").body == b"body {}"


def test_names_that_have_to_be_encoded(bucket, start_on):
    bucket.put("users/[id].wasm", version(1))
    bucket.put("public/ä b+c&d%41.txt", "text")
    server = start_on(bucket)
    assert server.get("/users/7").body == body(1)
    assert server.get("/%C3%A4%20b+c&d%2541.txt").body == b"text"


def test_more_than_one_page(bucket, start_on):
    for number in range(1_100):
        bucket.put(f"public/{number}.txt", str(number))
    bucket.put("zzz.wasm", version(1))
    server = start_on(bucket)
    assert server.get("/zzz").body == body(1) and server.get("/1099.txt").body == b"1099"
    listings = [line for line in bucket.gateway.lines() if line == "200 GET /functions"]
    assert len(listings) >= 2


def test_nothing_is_read_twice(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    read = bucket_of(server)["bytes_read"]
    assert read == len(version(1))
    looks = bucket_of(server)["looks"]
    wait_until(lambda: bucket_of(server)["looks"] >= looks + 3, "it was looked at again")
    assert bucket_of(server)["bytes_read"] == read
    assert bucket.gateway.lines().count("200 GET /functions/prod/hello.wasm") == 1


def test_the_hook_looks_at_once(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket, poll="10m")
    for number in range(2, 6):
        bucket.put("hello.wasm", version(number))
        answer = server.admin("/v1/source/refresh", method="POST")
        assert answer.status == 202 and answer.json["source"] == bucket.url
        server.wait_body("/hello", body(number), seconds=2)
    assert server.admin("/v1/source/refresh").status == 405


def test_the_hook_of_a_folder_has_nothing_to_do(server):
    answer = server.admin("/v1/source/refresh", method="POST")
    assert answer.status == 200 and "watched" in answer.json["detail"]


def test_a_broken_module_leaves_the_old_one(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    server = start_on(bucket)
    bucket.put("hello.wasm", b"no module")
    function = server.wait_state("hello", "stale")
    assert "hello.wasm" in function["error"] and server.get("/hello").body == body(1)


def test_a_whole_bucket_without_a_prefix(gateway, start_on):
    gateway.create_bucket("whole")
    bucket = Bucket(gateway, "whole")
    bucket.put("hello.wasm", version(1))
    bucket.put(".hidden/hello.wasm", version(2))
    server = start_on(bucket)
    assert server.get("/hello").body == body(1) and server.problems() == {}
    assert bucket_of(server)["objects"] == 1


def test_credentials_of_a_profile(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    (bucket.gateway.folder / "credentials").write_text(
        f"[default]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n"
        f"[deploy]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    server = start_on(bucket, "--s3-profile", "deploy",
                      env={"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other"})
    assert server.get("/hello").body == body(1)


def test_writable_mounts_are_refused(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    bucket.put("hello.toml", '[[mounts]]\nhost = "data"\nguest = "/data"\nwritable = true\n')
    bucket.put("data/a.txt", "a")
    server = start_on(bucket)
    error = server.functions()["hello"]["error"]
    assert error.startswith("hello.toml: mount of data: cannot be writable"), error


def test_metrics(bucket, start_on):
    bucket.put("hello.wasm", version(1))
    page = start_on(bucket).metrics()
    assert page.sum("funcd_source_readable") == 1
    assert page.sum("funcd_bucket_looks_total") >= 1
    assert page.sum("funcd_bucket_failures_total") == 0
    assert page.sum("funcd_bucket_objects") == 1
    assert page.sum("funcd_bucket_read_bytes_total") == len(version(1))
    assert page.sum("funcd_bucket_synced_timestamp_seconds") > 1e9


def test_check_and_list_look_at_the_bucket(bucket, tmp_path):
    bucket.put("hello.wasm", version(1))
    bucket.put("bad.wasm", b"no module")
    env = clean_environment(**bucket.gateway.environment, FUNCD_S3_ENDPOINT=bucket.gateway.url,
                            FUNCD_CACHE_DIR=str(tmp_path / "cache"))
    done = funcd("serve", "--check", bucket.url, env=env, cwd=tmp_path)
    assert done.returncode == 1 and b"hello" in done.stdout and b"bad.wasm" in done.stdout
    bucket.remove("bad.wasm")
    done = funcd("serve", "--check", bucket.url, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_digest_that_fits(bucket, start_on):
    digest = hashlib.sha256(version(1)).hexdigest()
    bucket.put("hello.wasm", version(1), {"x-amz-meta-funcd-sha256": digest})
    server = start_on(bucket)
    assert server.functions()["hello"]["digest"] == digest
