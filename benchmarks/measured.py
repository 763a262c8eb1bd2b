"""Rounds of a floor and of ours in turn, their medians and ratio, and the one line of JSON."""

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

DISTRIBUTIONS = (
    "celery",
    "flask",
    "gunicorn",
    "kombu",
    "psycopg2-binary",
    "redis",
    "sqlalchemy",
)

Round = Mapping[str, float]
"""What one round measured: figure by name. One of them is compared, the rest is reported."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """What the ratio ours / floor has to keep to, or ours by itself."""

    figure: str  #: the one that is compared
    limit: float
    at_least: bool = False  #: True when more is better
    is_ratio: bool = True  #: False: ours is held against the limit, the floor only told

    def holds(self, value: float) -> bool:
        """Say whether a ratio, or a figure of ours, keeps to it."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        what = "ours / floor" if self.is_ratio else "ours"
        return f"{self.figure}: {what} {'>=' if self.at_least else '<='} {self.limit:g}"


def tell(text: str) -> None:
    """Show progress; stdout is kept for the result."""
    print(text, file=sys.stderr, flush=True)


def arguments(description: str | None, **defaults: float | str) -> Any:
    """Return the command line's options: `rounds=5` becomes `--rounds`, default 5."""
    parser = argparse.ArgumentParser(description=description)
    for name, default in defaults.items():
        parser.add_argument(
            f"--{name}", type=type(default), default=default, help=f"default: {default}"
        )
    # an order to end becomes an exception, so that what was started is stopped in order
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return parser.parse_args()


def compare(
    name: str,
    bar: Bar,
    rounds: int,
    floor: Callable[[], Round],
    ours: Callable[[], Round],
) -> dict[str, Any]:
    """Run floor and ours in turn; the ratio is the median of the ratios of the pairs."""
    floors: list[Round] = []
    own: list[Round] = []
    for number in range(1, rounds + 1):
        floors.append(floor())
        own.append(ours())
        ratio = own[-1][bar.figure] / floors[-1][bar.figure]
        shown = f"floor {_shown(floors[-1])} | ours {_shown(own[-1])} | ratio {ratio:.3f}"
        tell(f"{name} {number}/{rounds}: {shown}")
    ratios = [b[bar.figure] / a[bar.figure] for a, b in zip(floors, own, strict=True)]
    ratio = median(ratios)
    held = ratio if bar.is_ratio else median(one[bar.figure] for one in own)
    return {
        "floor": summary(floors),
        "ours": summary(own),
        "ratios": [round(value, 3) for value in ratios],
        "ratio": round(ratio, 3),
        "bar": str(bar),
        "passed": bar.holds(held),
    }


def summary(rounds: Iterable[Round]) -> dict[str, Any]:
    """Return each figure's median and its values by round."""
    columns: dict[str, list[float]] = {}
    for one in rounds:
        for name, value in one.items():
            columns.setdefault(name, []).append(round(value, 3))
    return {
        name: {"median": round(median(values), 3), "rounds": values}
        for name, values in columns.items()
    }


def finish(
    benchmark: str, cases: Mapping[str, Mapping[str, Any]], load_before: float, **facts: Any
) -> None:
    """Print the result as one line of JSON, and end: 1 when a bar does not hold, else 0.

    `facts` are put beside the cases. A case without `passed` has no bar; without any, the
    result's own `passed` is null.
    """
    verdicts = [case["passed"] for case in cases.values() if "passed" in case]
    passed = all(verdicts) if verdicts else None
    result = {
        "benchmark": benchmark,
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "passed": passed,
        "cases": cases,
        **facts,
        "machine": {**machine(), "load_average": [load_before, load_average()]},
        "versions": {name: version(name) for name in DISTRIBUTIONS},
    }
    print(json.dumps(result), flush=True)
    sys.exit(passed is False)


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def load_average() -> float:
    """Return how many processes wanted to run, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _shown(one: Round) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in one.items())
