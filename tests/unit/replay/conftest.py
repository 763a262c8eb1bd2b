"""Outages placed in time, and small series to evaluate queries on."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from cli.replay import Capture, Recording, load, names
from cli.replay.promql import evaluate
from cli.replay.promql.vectors import Value
from cli.replay.series import NAME, Series, SeriesSet

NOW = datetime(2026, 11, 20, 9, 30, 7, tzinfo=UTC)

Ask = Callable[..., dict[str, list[float]]]


@pytest.fixture
def now() -> datetime:
    """The moment at which the tests' alerts arrive; not on the scrapes' grid."""
    return NOW


@pytest.fixture(scope="session", params=names())
def recording(request: pytest.FixtureRequest) -> Recording:
    """Each outage in turn."""
    return load(request.param)


@pytest.fixture(scope="session")
def capture(recording: Recording) -> Capture:
    """The outage placed in time."""
    return recording.at(NOW)


@pytest.fixture
def series() -> Callable[..., Series]:
    """Build a series from its values, 15 s apart from time 0 unless `start` says otherwise."""

    def build(
        name: str, values: Sequence[float], *, start: int = 0, every: int = 15, **labels: str
    ) -> Series:
        times = (start + every * np.arange(len(values), dtype=np.int64)) * 1000
        return Series(
            labels={NAME: name, **labels}, times=times, values=np.array(values, dtype=np.float64)
        )

    return build


@pytest.fixture
def answer() -> Ask:
    """Evaluate a query at evenly spaced seconds; returns the values there are, by labels."""

    def ask(query: str, *found: Series, at: Sequence[int]) -> dict[str, list[float]]:
        step = at[1] - at[0] if len(at) > 1 else 1
        value = evaluate(
            query,
            SeriesSet(found),
            start_ms=at[0] * 1000,
            end_ms=at[-1] * 1000,
            step_ms=step * 1000,
        )
        return _by_labels(value)

    return ask


def _by_labels(value: Value) -> dict[str, list[float]]:
    assert isinstance(value, list), value
    return {
        ",".join(f"{name}={text}" for name, text in column.labels): [
            float(number) for number in column.values[column.present]
        ]
        for column in value
    }
