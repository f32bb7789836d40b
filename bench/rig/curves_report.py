"""What the curves say: a table for each, where it leaves the straight line, and the bars."""

from __future__ import annotations

from rig import fit
from rig.curves import Point, Series

BEGIN = "<!-- bench/curves writes from here -->"
INTRO = """
## How costs grow

`bench/curves` repeats this; [plots/curves.json](plots/curves.json) has every number.

![throughput, CPU per request and latency at 1 to 4,096 connections](plots/connections.svg)

![CPU per request by functions, body and workers](plots/costs.svg)
"""

TITLES = {
    "connections": "connections",
    "functions": "functions, requests to all of them in turn",
    "body": "body that is sent and comes back",
    "workers": "workers on two cores that they share with the client",
}
# Curve, server, x, the x that it is compared with, at most that many times its CPU per request.
BARS = (
    ("functions", "funcd, hello", 10_000, 1, 1.15),
    ("connections", "funcd, cjson", 4_096, 16, 1.15),
    ("workers", "funcd, cjson", 2, 1, 1.05),
)


def size_text(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def where_bent(series: Series) -> str:
    """Costs that grow with a body are held against a line; the others, from where they are lowest on,
    against the lowest: one connection alone pays for each wake-up."""
    xs, costs = [point.x for point in series.points], [point.cpu_us for point in series.points]
    if len(xs) < 2:
        return "one point only"
    if series.curve == "body":
        line = fit.straight(xs, costs)
        law = f"{line.fixed:,.1f} µs + {line.slope * 1024:.2f} µs for each KiB"
        text = size_text
    else:
        lowest = costs.index(min(costs))
        law = f"{costs[lowest]:,.1f} µs at {xs[lowest]:,}"
        line, text = fit.flat(costs[lowest]), "{:,}".format
        xs, costs = xs[lowest:], costs[lowest:]
    at = fit.bend(line, xs, costs)
    if at is None:
        return f"{law}, within {fit.TOLERANCE:.0%} up to {text(xs[-1])}"
    factor = costs[xs.index(at)] / line.at(at)
    return f"{law}; bends at {text(at)}: {factor:.2f}x of that"


def markdown(curves: list[Series], how: list[str]) -> str:
    lines = list(how)
    for key, title in TITLES.items():
        series = [each for each in curves if each.curve == key]
        if not series:
            continue
        lines += ["", f"| {title} | at | CPU µs per request | requests/s | p50 ms | p99 ms | RSS MiB |",
                  "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
        for each in series:
            lines += [_line(each.server, key, point) for point in each.points]
        lines += ["", *(f"- {each.server}: {where_bent(each)}" for each in series)]
        lines += [f"- {each.server} at {int(x):,}: {said}" for each in series
                  for x, said in each.refused.items()]
    lines += ["", "| bar | at most | measured | |", "| --- | ---: | ---: | --- |"]
    lines += [_bar_line(curves, *bar) for bar in BARS]
    return "\n".join(lines) + "\n"


def _line(server: str, curve: str, point: Point) -> str:
    at = size_text(point.x) if curve == "body" else f"{point.x:,}"
    return (f"| {server} | {at} | {point.cpu_us:,.1f} | {point.requests_per_s:,.0f} "
            f"| {point.p50_ms:.2f} | {point.p99_ms:.2f} | {point.rss_mib:.0f} |")


def _bar_line(curves: list[Series], curve: str, server: str, x: int, base: int,
              at_most: float) -> str:
    what = f"CPU per request: {x:,} {curve} / {base:,}"
    costs = {point.x: point.cpu_us for each in curves
             if each.curve == curve and each.server == server for point in each.points}
    if x not in costs or base not in costs:
        return f"| {what} | {at_most}x | - | not measured |"
    ratio = costs[x] / costs[base]
    word = "reached" if ratio <= at_most else "**missed**"
    return f"| {what} | {at_most}x | {ratio:.2f}x | {word} |"
