"""Draws docs/plots/*.svg from what bench/curves has measured. Runs in the bench's own Python, which
has matplotlib:  plot.py CURVES.json FOLDER
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.ticker import FuncFormatter, NullLocator  # noqa: E402

# Readable on white and on black alike: the page behind shows through.
GREY = "#848d97"
OURS = ("#2f81f7", "#1f9e89")
OTHERS = ("#d29922", "#db61a2", "#a371f7", "#8b949e")
MARKERS = "osD^vP"
TICKS_MAX = 12

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "funcd", "savefig.transparent": True,
    "font.family": "sans-serif", "font.size": 10, "axes.titlesize": 11,
    "text.color": GREY, "axes.labelcolor": GREY, "axes.edgecolor": GREY, "axes.titlecolor": GREY,
    "xtick.color": GREY, "ytick.color": GREY, "legend.frameon": False, "legend.labelcolor": GREY,
    "axes.spines.top": False, "axes.spines.right": False, "lines.linewidth": 1.6,
    "lines.markersize": 4, "grid.color": GREY, "grid.alpha": 0.25, "grid.linewidth": 0.6,
}


def bytes_text(size: float, _position: object = None) -> str:
    if size >= 1 << 20:
        return f"{size / (1 << 20):.0f} MiB"
    return f"{size / (1 << 10):.0f} KiB"


def count_text(count: float, _position: object = None) -> str:
    return f"{count:,.0f}" if count >= 1 else f"{count:g}"


def apart(ticks: list[int]) -> list[int]:
    """Without those whose labels would lie on that of the one before."""
    room = math.log2(ticks[-1] / ticks[0]) / TICKS_MAX
    kept = ticks[:1]
    for tick in ticks[1:]:
        if math.log2(tick / kept[-1]) >= room:
            kept.append(tick)
    return kept


def draw(axes: Axes, series: list[dict], field: str, title: str, unit: str, x_label: str,
         is_log: bool = True, x_text=count_text) -> None:
    ours, others = iter(OURS), iter(OTHERS)
    for each, marker in zip(series, MARKERS):
        points = [(point["x"], point[field]) for point in each["points"]]
        is_ours = each["server"].startswith("funcd")
        axes.plot(*zip(*points), marker=marker, label=each["server"],
                  color=next(ours if is_ours else others), zorder=3 if is_ours else 2)
    axes.set_xscale("log", base=2)
    axes.set_xticks(apart(sorted({point["x"] for each in series for point in each["points"]})))
    axes.xaxis.set_major_formatter(FuncFormatter(x_text))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelrotation=35)
    if is_log:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(count_text))
    axes.set_title(title, loc="left")
    axes.set_ylabel(unit)
    axes.set_xlabel(x_label)
    axes.grid(axis="y")


def save(figure: plt.Figure, folder: Path, name: str) -> None:
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def of(curves: list[dict], key: str) -> list[dict]:
    return [each for each in curves if each["curve"] == key]


def draw_connections(curves: list[dict], folder: Path) -> None:
    series = of(curves, "connections")
    if not series:
        return
    figure, axes = plt.subplots(1, 3, figsize=(11, 4.2), layout="constrained")
    label = "connections"
    draw(axes[0], series, "requests_per_s", "Throughput", "requests/s", label)
    draw(axes[1], series, "cpu_us", "CPU per request", "µs", label)
    draw(axes[2], series, "p99_ms", "Latency, 99th percentile", "ms", label)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    save(figure, folder, "connections")


def draw_costs(curves: list[dict], folder: Path) -> None:
    parts = (("functions", "functions, asked in turn", count_text, False),
             ("body", "body, sent and received", bytes_text, True),
             ("workers", "workers, on two cores with the client", count_text, False))
    parts = [part for part in parts if of(curves, part[0])]
    if not parts:
        return
    figure, axes = plt.subplots(1, len(parts), figsize=(11, 4.2), layout="constrained",
                                squeeze=False)
    for axis, (key, label, text, is_log) in zip(axes[0], parts):
        series = of(curves, key)
        draw(axis, series, "cpu_us", f"CPU per request by {key}", "µs", label, is_log, text)
        if len(series) > 1:
            axis.legend()
    save(figure, folder, "costs")


def main() -> None:
    curves = json.loads(Path(sys.argv[1]).read_text())["curves"]
    folder = Path(sys.argv[2])
    with plt.rc_context(STYLE):
        draw_connections(curves, folder)
        draw_costs(curves, folder)


if __name__ == "__main__":
    main()
