"""The arithmetic by which bench/curves judges."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from rig import curves_report, fit  # noqa: E402
from rig.curves import Point, Series  # noqa: E402


def series(curve: str, server: str, costs: dict[int, float]) -> Series:
    return Series(curve, server, [Point(x, cost, 1.0, 1.0, 1.0, 1.0) for x, cost in costs.items()])


def test_a_line_through_points_that_lie_on_one():
    line = fit.straight([1, 10, 1000], [7, 25, 2005])
    assert line.fixed == pytest.approx(5)
    assert line.slope == pytest.approx(2)
    assert fit.bend(line, [1, 10, 1000], [7, 25, 2005]) is None


def test_it_bends_where_costs_leave_the_line_upwards_only():
    flat = fit.flat(10)
    assert fit.bend(flat, [1, 2, 3, 4], [10, 5, 11.4, 30]) == 4
    assert fit.bend(flat, [1, 2, 3, 4], [10, 5, 11.6, 30]) == 3


def test_small_costs_count_as_much_as_large_ones():
    line = fit.straight([1, 2, 1_000_000], [12, 14, 2_000_010])
    assert line.at(1) == pytest.approx(12, rel=1e-3)


def test_one_point_is_flat():
    assert fit.straight([5], [3]) == fit.Line(3, 0.0)


@pytest.mark.parametrize("costs, word", [({1: 10.0, 10_000: 11.4}, "reached"),
                                         ({1: 10.0, 10_000: 11.6}, "**missed**"),
                                         ({1: 10.0}, "not measured")])
def test_bars(costs, word):
    text = curves_report.markdown([series("functions", "funcd, hello", costs)], [])
    line = next(line for line in text.splitlines() if "10,000 functions / 1" in line)
    assert line.endswith(f"| {word} |")


def test_what_costs_most_alone_is_not_the_measure_of_the_rest():
    each = series("connections", "a server", {1: 40.0, 16: 16.0, 256: 18.0, 4096: 32.0})
    text = curves_report.markdown([each], [])
    assert "- a server: 16.0 µs at 16; bends at 4,096: 2.00x of that" in text


def test_what_did_not_answer_is_told():
    each = series("connections", "a server", {1: 10.0, 16: 20.0})
    each.refused["4096"] = "Non-2xx or 3xx responses: 7"
    text = curves_report.markdown([each], [])
    assert "- a server: 10.0 µs at 1; bends at 16: 2.00x of that" in text
    assert "- a server at 4,096: Non-2xx or 3xx responses: 7" in text
