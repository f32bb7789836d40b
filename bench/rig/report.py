"""The table: rows, bars with reached or missed, and where it was measured."""

from __future__ import annotations

import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rig.moments import Moment
from rig.rows import Row
from rig.setup import (
    BENCH,
    PYTHON,
    PYTHON_PACKAGES,
    ROOT,
    WASMTIME_VERSION,
    WORKERD_VERSION,
    find_peer,
)

BEGIN = "<!-- bench/run writes from here -->"
END = "<!-- to here -->"
OTHERS_MAX = 0.05


@dataclass(frozen=True)
class Bar:
    """A row's CPU per request, in multiples of another's; or a moment's value."""

    key: str
    against: str | None
    at_most: float
    text: str


BARS = (
    Bar("funcd/cjson", "floor", 2.5, "cjson / bare epoll"),
    Bar("funcd/cjson", "wazero/cjson", 1 / 4, "cjson / wazero"),
    Bar("funcd/cjson", "kept/cjson", 1 / 35, "cjson / the article's server, kept"),
    Bar("funcd/gojson", "engine/gojson", 1.5, "gojson / engine alone"),
    Bar("funcd/gojson", "wazero/gojson", 1 / 8, "gojson / wazero"),
    Bar("funcd/gojson", "kept/gojson", 1 / 3, "gojson / the article's server, kept"),
    Bar("funcd/gojson", "written/gojson", 1 / 1000, "gojson / the article's server, as written"),
    Bar("engine/gojson-reactor", None, 16, "gojson as a reactor, engine alone, µs"),
    Bar("funcd/gojson-reactor", "funcd/cjson", 2.5, "gojson as a reactor / cjson"),
    Bar("funcd/gojson-snapshot", "funcd/gojson", 1 / 4, "gojson from a snapshot / plainly"),
    Bar("funcd/gojson-snapshot", "wazero/gojson", 1 / 35, "gojson from a snapshot / wazero"),
    Bar("funcd/gojson-warm", "funcd/gojson", 1 / 4, "gojson from a warm snapshot / plainly"),
    Bar("funcd/gojson-warm", "wazero/gojson", 1 / 35, "gojson from a warm snapshot / wazero"),
    Bar("funcd/echo", "floor-echo", 3.2, "cgi echo of 1 KB / bare epoll"),
    Bar("funcd/component-hello", "wasmtime/component-hello", 1 / 2.7,
        "component hello / wasmtime serve"),
    Bar("funcd/component-rust", "wasmtime/component-rust", 1 / 2.7,
        "component hello in Rust / wasmtime serve"),
    Bar("funcd/component-javascript", "wasmtime/component-javascript", 1 / 5,
        "component hello in JavaScript / wasmtime serve"),
    Bar("start-warm", None, 50, "start with warm cache to first answer, ms"),
    Bar("epochs/cjson", None, 105, "cjson: CPU with epochs, of that without, %"),
    Bar("epochs/gojson", None, 105, "gojson: CPU with epochs, of that without, %"),
    Bar("spinner", None, 5, "p99 beside what spins, over that alone, ms"),
    Bar("spinner-end", None, 50, "a spinner ends after its limit, ms"),
    Bar("sleepers", None, 400, "RSS with 5,000 invocations asleep, MiB"),
    Bar("sleepers-p99", None, 5, "p99 beside what sleeps, over that alone, ms"),
    Bar("deployments-poll", None, 3, "a change in the bucket is live, polled every 2 s, s"),
    Bar("deployments-hook", None, 1, "a change in the bucket is live, with the hook, s"),
    Bar("deployments-failed", None, 0, "failed requests while deployments, outages come and go"),
    Bar("many-start", None, 300, "restart with 1,000 functions to the first answer, ms"),
    Bar("many-rss", None, 40, "RSS per idle function, KiB"),
    Bar("rss", None, 64, "RSS after the requests, compiled by itself, MiB"),
    Bar("rss-warm", None, 64, "RSS after the requests, from the cache, MiB"),
)


@dataclass(frozen=True)
class Verdict:
    bar: Bar
    measured: float | None  # None: a row that it needs was not measured

    @property
    def is_reached(self) -> bool:
        return self.measured is not None and self.measured <= self.bar.at_most


def judge(rows: list[Row], moments: list[Moment]) -> list[Verdict]:
    values = {row.key: row.cpu_us for row in rows} | {each.key: each.value for each in moments}
    verdicts = []
    for bar in BARS:
        value, base = values.get(bar.key), values.get(bar.against) if bar.against else 1.0
        verdicts.append(Verdict(bar, None if value is None or base is None else value / base))
    return verdicts


def _ratio(value: float, bar: Bar) -> str:
    """1/38 rather than 0.026."""
    if bar.against is None:
        return f"{value:.1f}"
    return f"1/{1 / value:,.1f}".replace(".0", "") if value < 1 else f"{value:.2f}x"


def _limit(bar: Bar) -> str:
    if bar.against is None:
        return f"{bar.at_most:g}"
    return f"1/{round(1 / bar.at_most, 1):,g}" if bar.at_most < 1 else f"{bar.at_most:g}x"


def _verdict_line(verdict: Verdict) -> str:
    bar, measured = verdict.bar, verdict.measured
    if measured is None:
        return f"| {bar.text} | {_limit(bar)} | - | not measured |"
    word = "reached" if verdict.is_reached else "**missed**"
    if bar.at_most == 0 or measured == 0:
        return f"| {bar.text} | {_limit(bar)} | {_ratio(measured, bar)} | {word} |"
    factor = bar.at_most / measured
    side = f"{factor:.2f}x below" if factor >= 1 else f"{1 / factor:.2f}x above"
    return f"| {bar.text} | {_limit(bar)} | {_ratio(measured, bar)} | {word}, {side} |"


def _us(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _cell(value: float | None, form: str = "{:.2f}") -> str:
    return "-" if value is None else form.format(value)


def markdown(rows: list[Row], moments: list[Moment], verdicts: list[Verdict],
             how: list[str]) -> str:
    lines = [*how, ""]
    floor = next((row.cpu_us for row in rows if row.key == "floor"), None)
    if rows:
        lines += ["| server | CPU µs per request | of the floor | spread | requests/s | p50 ms "
                  "| p99 ms |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for row in rows:
        of_floor = "-" if floor is None else f"{row.cpu_us / floor:,.2f}x"
        lines.append(f"| {row.title} | {_us(row.cpu_us)} | {of_floor} | {row.spread * 100:.0f}% "
                     f"| {_cell(row.requests_per_s, '{:,.1f}')} | {_cell(row.p50_ms)} "
                     f"| {_cell(row.p99_ms)} |")
    others = max((row.others for row in rows), default=0.0)
    if others > OTHERS_MAX:
        lines += ["", "**The machine was not quiet**: other processes had up to "
                  f"{others * 100:.0f}% of the server's core, and the caches with it."]
    if moments:
        lines += ["", "| once | median | |", "| --- | ---: | --- |"]
    lines += [f"| {each.title} | {each.value:,.1f} {each.unit} | {each.detail} |"
              for each in moments]
    lines += ["", "| bar | at most | measured | |", "| --- | ---: | ---: | --- |"]
    lines += [_verdict_line(verdict) for verdict in verdicts]
    return "\n".join(lines) + "\n"


def how_measured(command: str, seconds: int, rounds: int) -> list[str]:
    """Command, commit, machine and versions; no paths and no host names."""
    return [
        f"`{command}` at commit {_commit()}, {_machine()}.",
        f"Server on one core, `wrk -t1 -c16 -d{seconds}s` on another, median of {rounds}; the "
        "servers take turns. CPU per request is user + system time of the server's processes "
        "divided by answered requests. The article's server as written is asked by one "
        f"connection, once. Peers: {_versions()}.",
    ]


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True,
                              check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "bridge", "bench",
                  "examples")
    return git("rev-parse", "--short", "HEAD") + (" with local changes" if changed else "")


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*: (.+)", info)
    cores = len(re.findall(r"^processor\s*:", info, re.MULTILINE))
    kernel = platform.release().partition("-")[0]
    return f"{found[1] if found else platform.machine()}, {cores} cores, Linux {kernel}"


def _versions() -> str:
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True,
                        check=False).stdout.strip().replace("go", "Go ")
    wazero = re.search(r"wazero v(\S+)", (BENCH / "wazero" / "go.mod").read_text())
    ask = ("import platform, importlib.metadata as m; print('Python', platform.python_version(), "
           f"*[', ' + p + ' ' + m.version(p) for p in {PYTHON_PACKAGES}])")
    python = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, text=True,
                            check=False).stdout.strip().replace(" ,", ",")
    versions = [go, f"wazero {wazero[1] if wazero else '?'}", f"wasmtime {WASMTIME_VERSION}"]
    if find_peer(f"workerd-{WORKERD_VERSION}"):
        versions.append(f"workerd {WORKERD_VERSION}")
    nginx = find_peer("nginx")
    if nginx:
        said = subprocess.run([str(nginx), "-v"], capture_output=True, text=True,
                              check=False).stderr
        versions.append(said.strip().rpartition(": ")[2].replace("/", " "))
    return ", ".join([*versions, python])


def write(text: str, file: Path, begin_mark: str = BEGIN, intro: str = "# Benchmarks\n") -> None:
    """Replaces what lies between the mark and its end; the prose around it stays. Without the mark a
    section that begins with `intro` is added."""
    page = file.read_text() if file.exists() else ""
    if begin_mark not in page:
        page += f"{intro}\n{begin_mark}\n{END}\n"
    before, _, rest = page.partition(begin_mark)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"bench: {file}: has no '{END}' after '{begin_mark}'")
    file.write_text(f"{before}{begin_mark}\n{text}{END}{after}")
