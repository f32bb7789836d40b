"""Whether costs lie on a straight line, and where they leave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.15


@dataclass(frozen=True)
class Line:
    """cost = fixed + slope * x."""

    fixed: float
    slope: float

    def at(self, x: float) -> float:
        return self.fixed + self.slope * x


def flat(cost: float) -> Line:
    """Costs that do not grow."""
    return Line(cost, 0.0)


def straight(xs: Sequence[float], costs: Sequence[float]) -> Line:
    """Least squares of the relative errors, so that small costs count as much as large ones."""
    weights = [1 / cost**2 for cost in costs]
    total = sum(weights)
    x_mean = sum(w * x for w, x in zip(weights, xs)) / total
    cost_mean = sum(w * cost for w, cost in zip(weights, costs)) / total
    spread = sum(w * (x - x_mean) ** 2 for w, x in zip(weights, xs))
    if spread == 0:
        return Line(cost_mean, 0.0)
    slope = sum(w * (x - x_mean) * (cost - cost_mean)
                for w, x, cost in zip(weights, xs, costs)) / spread
    return Line(cost_mean - slope * x_mean, slope)


def bend(line: Line, xs: Sequence[float], costs: Sequence[float],
         tolerance: float = TOLERANCE) -> float | None:
    """The first x whose cost is above the line by more than the tolerance; None: nowhere."""
    for x, cost in zip(xs, costs):
        if cost > line.at(x) * (1 + tolerance):
            return x
    return None
