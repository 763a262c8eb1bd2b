"""Metric signals: a level above an absolute floor that also rose against the baseline.

Floors come before ratios on purpose: a near-constant series jumps by many sigma for nothing, and
was the usual false root cause in published comparisons of metric scoring.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median

from opssage.diagnosis import Finding
from opssage.evidence import Evidence
from tasks.diagnose.case import Case
from tasks.diagnose.component import kind_of, label_of
from tasks.diagnose.signals.finding import finding
from tasks.diagnose.signals.reading import Reading, base_of, quantity, ramp, read

_AT_THE_FLOOR = 0.4
_WITHOUT_BASELINE = 0.7  # a rise that cannot be compared with anything
_AS_BEFORE = 0.5  # a level that was already there before onset
_MOST = 0.8  # of the traffic before onset
_MEBI = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Rise:
    """A row of the table: from `floor` on it is a finding, at `full` it has strength 1."""

    signal: str
    reads: str  #: the collected signal
    what: str  #: how the statement calls it
    floor: float
    full: float
    rise: float = 0.0  #: least growth over the baseline, in the metric's unit
    ratio: float = 1.0  #: least growth over the baseline, as a factor
    by_ratio: bool = False  #: `full` is a factor of growth, not a level
    by_peak: bool = False  #: a single point counts: counters of rare events
    on_node: bool = False

    @property
    def compares(self) -> bool:
        """True when only growth makes this a finding."""
        return self.rise > 0


RISES = (
    Rise(
        signal="metric.error_ratio_rise", reads="error_ratio", what="error ratio",
        floor=0.02, full=0.25, rise=0.02, ratio=2,
    ),
    Rise(
        signal="metric.edge_errors", reads="edge_error_ratio", what="error ratio of calls",
        floor=0.02, full=0.25, rise=0.02, ratio=2,
    ),
    Rise(
        signal="metric.latency_rise", reads="latency_p99", what="99th percentile latency",
        floor=0.05, full=4, rise=0.05, ratio=1.5, by_ratio=True,
    ),
    Rise(
        signal="metric.traffic_surge", reads="request_rate", what="request rate",
        floor=1, full=5, rise=1, ratio=2, by_ratio=True,
    ),
    Rise(
        signal="metric.cpu_rise", reads="cpu_usage", what="CPU use",
        floor=0.2, full=4, rise=0.2, ratio=2, by_ratio=True,
    ),
    Rise(
        signal="metric.memory_rise", reads="memory_usage", what="memory use",
        floor=64 * _MEBI, full=3, rise=64 * _MEBI, ratio=1.5, by_ratio=True,
    ),
    Rise(
        signal="metric.restarts", reads="restarts", what="number of restarts",
        floor=0.9, full=3, by_peak=True,
    ),
    Rise(
        signal="state.replicas_unavailable", reads="replicas_unavailable",
        what="number of unavailable replicas", floor=1, full=2,
    ),
    Rise(
        signal="metric.cpu_throttled", reads="cpu_throttling",
        what="share of throttled CPU periods", floor=0.25, full=0.6,
    ),
    Rise(
        signal="metric.volume_full", reads="pvc_usage", what="use of the volume",
        floor=0.9, full=0.98,
    ),
    Rise(
        signal="metric.cpu_saturated", reads="node_cpu", what="CPU use",
        floor=0.9, full=0.97, on_node=True,
    ),
    Rise(
        signal="metric.node_memory_high", reads="node_memory", what="memory use",
        floor=0.92, full=0.98, on_node=True,
    ),
    Rise(
        signal="metric.disk_full", reads="node_disk", what="disk use",
        floor=0.9, full=0.97, on_node=True,
    ),
)  # fmt: skip
"""25 % throttled periods and 90 % of a disk are the bounds of the kubernetes and node mixins."""


def rises(case: Case) -> Iterator[Finding]:
    """Find what rose above its floor."""
    for row in RISES:
        for item in case.metrics(row.reads):
            component = _component(case, item, row)
            reading = _against_siblings(case, row, component, read(item, case.onset))
            if reading and component and (strength := _strength(row, reading)):
                yield finding(
                    row.signal,
                    component,
                    strength,
                    _statement(row, item, component, reading),
                    [item],
                    onset_at=reading.onset_at,
                    about=_called(case, item, component),
                )


def falls(case: Case) -> Iterator[Finding]:
    """Find targets that cannot be scraped, and traffic that stays away."""
    for item in case.metrics("up"):
        reading, component = read(item, case.onset), case.component(item)
        if reading and component and reading.level < 0.5:  # noqa: PLR2004 - `up` is 0 or 1
            known_down = reading.base is not None and reading.base < 0.5  # noqa: PLR2004
            strength = _AS_BEFORE if known_down else 1.0
            said = f"{label_of(component)} cannot be scraped (up is {reading.level:.3g})"
            yield finding(
                "metric.target_down", component, strength, said, [item], onset_at=reading.onset_at
            )
    for item in case.metrics("request_rate"):
        reading, component = read(item, case.onset), case.component(item)
        if reading and component and reading.base and reading.base >= 1:
            strength = ramp(1 - reading.level / reading.base, 0.5, 1.0)
            rates = [quantity(value, "per_second") for value in (reading.base, reading.level)]
            said = f"request rate of {label_of(component)} fell from {rates[0]} to {rates[1]}"
            yield finding(
                "metric.traffic_drop", component, strength, said, [item], onset_at=reading.onset_at
            )


def serving(case: Case) -> Iterator[Finding]:
    """Find services that answer as many requests as before, which speaks against their failing."""
    for item in case.metrics("request_rate"):
        reading, component = read(item, case.onset), case.component(item)
        if reading and component and reading.base and reading.level >= reading.base * _MOST:
            rate = quantity(reading.level, "per_second")
            said = f"{label_of(component)} answers {rate}, as before"
            yield finding("calm.serving", component, 1.0, said, [item])


def _component(case: Case, item: Evidence, row: Rise) -> str | None:
    return case.names.node(item.subject) if row.on_node else case.component(item)


def _against_siblings(
    case: Case, row: Rise, component: str | None, reading: Reading | None
) -> Reading | None:
    """Give a series without a baseline that of its siblings: new pods compare with old ones."""
    if reading is None or reading.base is not None or not row.compares:
        return reading
    bases = [
        base
        for item in case.metrics(row.reads)
        if _component(case, item, row) == component and (base := base_of(item)) is not None
    ]
    return replace(reading, base=median(bases)) if bases else reading


def _called(case: Case, item: Evidence, component: str) -> str | None:
    peer, namespace = item.subject.get("peer", ""), item.subject.get("namespace", "")
    called = case.names.called(peer, namespace)
    return called if called != component else None


def _strength(row: Rise, reading: Reading) -> float:
    value, base = (reading.peak if row.by_peak else reading.level), reading.base
    if value < row.floor:
        return 0.0
    if base is not None and (value - base < row.rise or value < base * row.ratio):
        return 0.0
    graded, low = value, row.floor
    if row.by_ratio:
        graded, low = (value / base if base else row.full), row.ratio
    strength = _AT_THE_FLOOR + (1 - _AT_THE_FLOOR) * ramp(graded, low, row.full)
    if base is None:
        return strength * _WITHOUT_BASELINE if row.compares else strength
    return strength * _AS_BEFORE if not row.compares and base >= row.floor else strength


def _statement(row: Rise, item: Evidence, component: str, reading: Reading) -> str:
    unit = str(item.data.get("unit") or "")
    value = quantity(reading.peak if row.by_peak else reading.level, unit)
    called = item.subject.get("peer")
    to_called = f" to {called}" if called else ""
    on = "node " if kind_of(component) == "node" else ""
    place = item.subject.get("mountpoint") or item.subject.get("pvc")
    at = f" at {place}" if place else ""
    of = f"{row.what} of {on}{label_of(component)}{to_called}{at}"
    if reading.base is None or reading.level <= reading.base:
        return f"{of} is {value}"
    return f"{of} rose from {quantity(reading.base, unit)} to {value}"
