"""Starting from a snapshot: Go's reactors and unmodified Go commands, by the real toolchains."""

import json

import pytest

from funcd import guests
from funcd.binary import funcd
from funcd.golang import build_go
from funcd.waiting import wait_until

REACTOR = """
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"os"
	"time"
)

var calls int
var greeting = os.Getenv("GREETING")
var begun = time.Now()

//go:wasmexport handle
func handle() {
	calls++
	var in struct{ Name string; What string }
	data, _ := io.ReadAll(os.Stdin)
	json.Unmarshal(data, &in)
	switch in.What {
	case "trap":
		panic("as told")
	case "random":
		fmt.Printf("[%d]", rand.Uint64())
	case "elapsed":
		fmt.Printf("[%d]", time.Since(begun))
	default:
		fmt.Printf(`{"hello":%q,"greeting":%q,"calls":%d}`, in.Name, greeting, calls)
	}
}

func main() {}
"""

COMMAND = """
package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"runtime"
	"strings"
	"time"
)

var frozen = os.Getenv("GREETING")
var begun = time.Now()
var table = map[string]int{}
var asked = make(chan int)
var answered = make(chan int)

func init() {
	for i := 0; i < 1000; i++ {
		table[fmt.Sprint(i)] = i
	}
	go func() {
		for n := range asked {
			answered <- n * 2
		}
	}()
}

func deep(n int) int {
	var pad [64]int
	if n == 0 {
		return 0
	}
	pad[n%64] = n
	return deep(n-1) + pad[n%64] - n + 1
}

func main() {
	asked <- 21
	junk := []string{}
	for i := 0; i < 20000; i++ {
		junk = append(junk, strings.Repeat("x", 64))
	}
	runtime.GC()
	var in map[string]any
	json.Unmarshal([]byte(os.Getenv("DATA")), &in)
	if in["exit"] != nil {
		os.Exit(3)
	}
	if in["panic"] != nil {
		panic("as told")
	}
	out, _ := json.Marshal(map[string]any{
		"frozen": frozen, "data": in, "greeting": os.Getenv("GREETING"), "args": os.Args,
		"method": os.Getenv("REQUEST_METHOD"), "doubled": <-answered, "table": table["777"],
		"deep": deep(500), "junk": len(junk),
	})
	if in["random"] != nil {
		out, _ = json.Marshal([]any{rand.Int63(), time.Since(begun) >= 0})
	}
	os.Stdout.Write(out)
}
"""

START = "[snapshot]\nstart = true\n"
ENV = '[env]\nGREETING = "hi"\n'
WARM = "[snapshot]\nwarm = true\n"
VERSIONS = ["1.22.10", "1.24.11", None]


def snapshot_of(server, name):
    return server.admin(f"/v1/functions/{name}").json["snapshot"]


@pytest.fixture(scope="module")
def reactor(serve_all):
    wasm = build_go(REACTOR, "-buildmode=c-shared")
    return serve_all({"cold": (wasm, ENV),
                      "warm": (wasm, ENV + '[snapshot]\nwarm = true\n[input]\nwhat = "none"\n'),
                      "plain": (wasm, ENV + "[snapshot]\nstart = false\n")})


def test_a_reactor_starts_from_its_snapshot(reactor):
    function = reactor.admin("/v1/functions/cold").json
    assert function["contract"] == "reactor"
    assert function["snapshot"] == {"used": True, "reason": None,
                                    "asked_for": ["clock", "random", "environment"]}


@pytest.mark.parametrize("name", ["cold", "plain"])
def test_each_call_of_a_reactor_meets_a_fresh_instance(reactor, name):
    for who in ("ada", "bob"):
        response = reactor.get(f"/{name}?name={who}")
        assert response.json == {"hello": who, "greeting": "hi", "calls": 1}


def test_a_warm_up_that_shows_is_not_used(reactor):
    said = snapshot_of(reactor, "warm")
    assert not said["used"] and "prints something else" in said["reason"]
    assert reactor.get("/warm").json["calls"] == 1


def test_random_numbers_differ_from_instance_to_instance(reactor):
    numbers = {reactor.get("/cold?what=random").body for _ in range(8)}
    assert len(numbers) == 8


def test_the_clock_goes_on_from_the_snapshot(reactor):
    assert all(reactor.get("/cold?what=elapsed").json[0] > 0 for _ in range(3))


def test_a_reactor_that_panics_is_a_failure_of_one_request(reactor):
    assert reactor.get("/cold?what=trap").status == 500
    assert reactor.get("/cold").status == 200


@pytest.fixture(scope="module", params=VERSIONS)
def commands(request, serve_all):
    wasm = build_go(COMMAND, version=request.param)
    return serve_all({"cold": (wasm, START + ENV), "warm": (wasm, WARM + ENV), "plain": (wasm, ENV)})


@pytest.fixture(params=["cold", "warm"])
def name(request):
    return request.param


def test_an_unmodified_command_starts_from_its_snapshot(commands, name):
    assert snapshot_of(commands, name)["used"], snapshot_of(commands, name)
    for number in range(3):
        said = commands.get(f"/{name}?n={number}").json
        plain = commands.get(f"/plain?n={number}").json
        assert said["frozen"] == "hi" and said["args"] == [name]
        for key in ("data", "greeting", "method", "doubled", "table", "deep", "junk"):
            assert said[key] == plain[key], key
        assert said["data"] == {"n": str(number)} and said["doubled"] == 42


def test_a_command_draws_other_numbers_in_each_instance(commands, name):
    drawn = [commands.get(f"/{name}?random=1").json for _ in range(8)]
    assert len({number for number, _ in drawn}) == 8 and all(is_later for _, is_later in drawn)


@pytest.mark.parametrize("what", ["exit", "panic"])
def test_a_command_ends_as_it_would_plainly(commands, name, what):
    plain = commands.get(f"/plain?{what}=1")
    said = commands.get(f"/{name}?{what}=1")
    assert (said.status, said.json["reason"]) == (plain.status, plain.json["reason"])


WARMED = """
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

var mains int
var once sync.Once
var kept string

func main() {
	mains++
	data := os.Getenv("DATA")
	once.Do(func() { kept = data })
	body, _ := io.ReadAll(bufio.NewReader(os.Stdin))
	shown := "KEPT"
	if strings.Contains(data, "show") {
		shown = fmt.Sprint(mains)
	}
	if EXITS {
		defer os.Exit(0)
	}
	fmt.Printf(`{"data":%s,"body":%q,"method":%q,"shown":%q}`, data, body, os.Getenv("REQUEST_METHOD"), shown)
}
"""


def warmed(kept='"nothing"', exits="false"):
    return build_go(WARMED.replace('"KEPT"', kept).replace("EXITS", exits)
                    .replace("var kept string", "var kept string\nvar _ = kept"))


def test_a_warm_command_has_run_its_main_once(serve_all):
    server = serve_all({"f": (warmed(), WARM + '[input]\nn = 1\n')})
    assert snapshot_of(server, "f")["used"], snapshot_of(server, "f")
    for who in ("ada", "bob"):
        said = server.post(f"/f?who={who}&show=1", f"a body of {who}",
                           headers={"content-type": "text/plain"}).json
        assert said["data"] == {"n": 1, "who": who, "show": "1"}, said
        # Once before the snapshot, once now: no instance knows of another's.
        assert said["shown"] == "2"
        assert said["method"] == "POST" and said["body"] == f"a body of {who}"


def go_main(body, imports=(), before=""):
    lines = "\n".join(f'import "{name}"' for name in ("fmt", "os", *imports))
    return build_go(f"package main\n{lines}\nvar _ = fmt.Sprint(os.Args)\n{before}\nfunc main() {{\n{body}\n}}\n")


# What keeps something of its warm-up, and a part of the reason why its snapshot is not used.
KEEPERS = {
    "once": (lambda: warmed(kept="kept"), "[input]\nn = 1\n", "another request"),
    "counter": (lambda: warmed(kept="fmt.Sprint(mains)"), "", "prints something else"),
    # Known only by a request whose DATA it accepts.
    "checked": (lambda: go_main("""
        var in struct{ Name string }
        json.Unmarshal([]byte(os.Getenv("DATA")), &in)
        if in.Name == "" { fmt.Print("none"); return }
        once.Do(func() { name = in.Name })
        fmt.Print(name)""", ["encoding/json", "sync"], "var once sync.Once; var name string"),
        '[input]\nname = "nobody"\n', "another request"),
    # Beside what differs each time.
    "timed": (lambda: go_main("""
        once.Do(func() { data = os.Getenv("DATA") })
        fmt.Printf("{\\"data\\":%s,\\"at\\":%d}", data, time.Now().UnixNano())""",
        ["sync", "time"], "var once sync.Once; var data string"), "[input]\nn = 1\n", "another request"),
    # The end of stdin.
    "body": (lambda: go_main("""
        defer os.Stdin.Close()
        body, _ := io.ReadAll(os.Stdin)
        fmt.Printf("%q", body)""", ["io"]), "", "another request"),
    "scanner": (lambda: go_main("""
        lines := 0
        for scanner.Scan() { lines++ }
        fmt.Print(lines)""", ["bufio"], "var scanner = bufio.NewScanner(os.Stdin)"), "", "another request"),
    # Random bytes that were drawn in advance.
    "token": (lambda: go_main("""
        token := make([]byte, 16)
        source.Read(token)
        fmt.Printf("%x", token)""", ["bufio", "crypto/rand"], "var source = bufio.NewReader(rand.Reader)"),
        "", "print the same where no two plain ones do"),
    "nested": (lambda: go_main("""
        if !again { again = true; main(); again = false; return }
        fmt.Print("inner")""", [], "var again bool"), "", "calls main itself"),
    "panics": (lambda: go_main("""
        flag.Int("n", 1, "")
        fmt.Print("x")""", ["flag"]), "", "exits with code 2: "),
    "exits": (lambda: warmed(exits="true"), "", "exits with code 0, and has to return"),
}


@pytest.mark.parametrize("name", KEEPERS)
def test_a_warm_up_that_later_runs_would_show_is_not_used(serve_all, name):
    build, sidecar, why = KEEPERS[name]
    server = serve_all({name: (build(), WARM + sidecar)})
    said = snapshot_of(server, name)
    assert not said["used"] and why in said["reason"], said
    if name == "once":
        assert server.get("/once?n=2").json["shown"] == '{"n":2}'
    if name == "body":
        sent = server.post("/body", "of this one", headers={"content-type": "text/plain"})
        assert sent.body == b'"of this one"'


def test_what_differs_each_time_can_be_warm(serve_all):
    server = serve_all({"id": (go_main("""
        id := make([]byte, 8)
        rand.Read(id)
        fmt.Printf("{\\"data\\":%s,\\"id\\":\\"%x\\",\\"at\\":%d}", os.Getenv("DATA"), id, time.Now().UnixNano())""",
        ["crypto/rand", "time"]), WARM)})
    assert snapshot_of(server, "id")["used"], snapshot_of(server, "id")
    answers = [server.get(f"/id?n={number}").json for number in range(5)]
    assert [answer["data"] for answer in answers] == [{"n": str(number)} for number in range(5)]
    assert len({answer["id"] for answer in answers}) == 5


@pytest.mark.parametrize("version", VERSIONS)
def test_the_arguments_are_the_invocations(serve_all, version):
    wasm = build_go('package main\nimport ("fmt"; "os")\nfunc main() { fmt.Printf("%q", os.Args[1:]) }\n',
                    version=version)
    cgi = 'contract = "cgi"\n'
    server = serve_all({"cold": (wasm, cgi + START), "warm": (wasm, cgi + WARM)})
    for name in ("cold", "warm"):
        assert snapshot_of(server, name)["used"], snapshot_of(server, name)
        assert server.get(f"/{name}?one+two").body == b'["one" "two"]'
        assert server.get(f"/{name}").body == b"[]"


def test_what_cannot_be_stopped_before_main_starts_plainly(serve_all):
    server = serve_all({
        "bare": (build_go(COMMAND, "-ldflags=-s"), START + ENV),
        "text": (guests.echoes_data(), START),
    })
    for name, why in (("bare", "-ldflags=-s"), ("text", "those of Go")):
        said = snapshot_of(server, name)
        assert not said["used"] and why in said["reason"], said
        assert server.get(f"/{name}").status == 200
    server.stderr.wait_for("snapshot.unused")


def test_an_initialiser_that_reads_the_request_is_noticed(folder, start):
    early = COMMAND.replace('os.Getenv("GREETING")', 'os.Getenv("DATA")', 1)
    folder.put("early", build_go(early), START)
    server = start()
    assert "prints something else" in snapshot_of(server, "early")["reason"]
    assert server.get("/early?n=1").json["frozen"] == '{"n":"1"}'


def test_a_snapshot_is_kept_in_the_cache(folder, start):
    folder.put("reactor", build_go(REACTOR, "-buildmode=c-shared"), ENV)
    first = start()
    assert not first.admin("/v1/functions/reactor").json["from_cache"]
    first.kill()
    again = start().admin("/v1/functions/reactor").json
    assert again["from_cache"] and again["snapshot"]["used"]


def test_another_environment_is_another_snapshot(folder, start):
    folder.put("reactor", build_go(REACTOR, "-buildmode=c-shared"), ENV)
    server = start()
    assert server.get("/reactor").json["greeting"] == "hi"
    folder.put_file("reactor.toml", ENV.replace("hi", "ho"))
    wait_until(lambda: server.get("/reactor").json["greeting"] == "ho", "the new greeting")


def test_check_tells_what_was_asked_before(folder):
    folder.put("reactor", build_go(REACTOR, "-buildmode=c-shared"), ENV)
    done = funcd("check", folder / "reactor.wasm")
    text = done.stdout.decode()
    assert done.returncode == 0 and "asked for: clock, random, environment" in text
    assert "funcd:asked" not in text


ECHO = """
package main

import (
	"fmt"
	"os"
)

func main() { fmt.Printf(`{"data":%s}`, os.Getenv("DATA")) }
"""


def test_snapshot_shows_what_it_gains(tmp_path):
    (tmp_path / "f.wasm").write_bytes(build_go(ECHO))
    done = funcd("snapshot", "--json", tmp_path / "f.wasm", "-o", tmp_path / "out.wasm",
                 "--data", '{"n":1}')
    said = json.loads(done.stdout)
    assert said["snapshot"]["us_per_instance"] < said["plain"]["us_per_instance"]
    assert said["asked_for"] == ["clock", "random", "environment"]
    ran = funcd("run", "--env", 'DATA={"n":2}', tmp_path / "out.wasm")
    assert json.loads(ran.stdout)["data"] == {"n": 2}
    text = funcd("snapshot", tmp_path / "f.wasm").stdout.decode()
    assert "plain" in text and "times less" in text
    assert "[snapshot] start = true in f.toml" in text


def test_a_command_that_could_start_from_a_snapshot_is_told_so(tmp_path):
    (tmp_path / "go.wasm").write_bytes(build_go(ECHO))
    (tmp_path / "other.wasm").write_bytes(guests.prints("x"))

    def told(name):
        text = funcd("check", tmp_path / f"{name}.wasm").stdout.decode()
        return [line.split(maxsplit=1)[1] for line in text.splitlines() if line.split()[0] == "snapshot"]

    assert told("go") == [f"none; what one would gain: funcd snapshot --warm {tmp_path / 'go.wasm'}"]
    assert told("other") == []
    (tmp_path / "go.toml").write_text("[snapshot]\nstart = false\n")
    assert told("go") == []
    done = funcd("snapshot", "--warm", tmp_path / "go.wasm")
    assert "[snapshot] warm = true in go.toml" in done.stdout.decode(), done.stderr


def test_snapshot_of_what_has_none(tmp_path):
    (tmp_path / "f.wasm").write_bytes(guests.prints("x"))
    done = funcd("snapshot", tmp_path / "f.wasm")
    assert done.returncode == 1 and "those of Go" in done.stderr
