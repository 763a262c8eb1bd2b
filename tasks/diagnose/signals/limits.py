"""Use against limits, and shares of a node: signals that need several series at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opssage.diagnosis import Finding
from opssage.evidence import Evidence
from tasks.diagnose.case import Case
from tasks.diagnose.component import label_of
from tasks.diagnose.objects import deployment_in
from tasks.diagnose.signals.finding import finding
from tasks.diagnose.signals.reading import Reading, quantity, ramp, read

_NEAR = 0.9  # of the limit
_BUSY_NODE = 0.85
_SHARE = 0.4  # of what the node's pods use together
_DOMINATING_SHARE = 0.75
_GREW = 1.3  # times its baseline
_AS_BEFORE = 0.5
_ALONE = 0.6  # no other pod of the node was read, so the share proves little


@dataclass(frozen=True, kw_only=True, slots=True)
class _Use:
    item: Evidence
    component: str
    pod: str
    reading: Reading


def near_limits(case: Case) -> Iterator[Finding]:
    """Find pods whose memory or CPU use comes near their limit."""
    for resource, signal in (
        ("memory", "metric.memory_near_limit"),
        ("cpu", "metric.cpu_near_limit"),
    ):
        limits = {
            _pod(item): (item, reading.last)
            for item in case.metrics(f"{resource}_limit")
            if (reading := read(item, case.onset))
        }
        for use in _uses(case, f"{resource}_usage"):
            limit_item, limit = limits.get(use.pod, (None, 0.0))
            if limit_item is None or limit <= 0:
                continue
            share = max(use.reading.level, use.reading.last) / limit
            unit = "bytes" if resource == "memory" else "cores"
            yield finding(
                signal,
                use.component,
                0.4 + 0.6 * ramp(share, _NEAR, 1.0) if share >= _NEAR else 0.0,
                f"{use.pod} uses {share * 100:.3g}% of its {resource} limit "
                f"of {quantity(limit, unit)}",
                [use.item, limit_item],
                onset_at=use.reading.onset_at,
            )


def node_hogs(case: Case) -> Iterator[Finding]:
    """Find pods that take a dominating share of a busy node's CPU, and whether they are limited."""
    for node_item in case.metrics("node_cpu"):
        node, busy = case.names.node(node_item.subject), read(node_item, case.onset)
        if node is None or busy is None or busy.level < _BUSY_NODE:
            continue
        uses = [
            use for use in _uses(case, "cpu_usage") if case.names.node(use.item.subject) == node
        ]
        for use in uses:
            hog = _hog(use, uses, node)
            yield hog
            if hog.strength > 0:
                yield from _unlimited(case, use)


def _unlimited(case: Case, use: _Use) -> Iterator[Finding]:
    """Find a pod without a CPU limit, where the limit of another shows that limits are read.

    An empty answer alone shows nothing: limits may not be scraped at all.
    """
    limits = {_pod(item): item for item in case.metrics("cpu_limit")}
    asked = not any("resource_limits" in query for query in case.unanswered)
    if asked and limits and use.pod not in limits:
        other = min(limits, key=lambda pod: (not _beside(limits[pod], use.item), pod))
        yield finding(
            "metric.no_cpu_limit",
            use.component,
            1.0,
            f"no CPU limit was found for {use.pod}, though limits are read here, "
            f"such as that of {other}",
            [limits[other]],
            details={"unlimited": use.pod},
        )


def _beside(one: Evidence, other: Evidence) -> bool:
    return one.subject.get("node") == other.subject.get("node")


def _hog(use: _Use, uses: list[_Use], node: str) -> Finding:
    """Return the finding; of strength 0 when the pod's share is not dominating."""
    share = use.reading.level / (sum(each.reading.level for each in uses) or 1.0)
    strength = 0.4 + 0.6 * ramp(share, _SHARE, _DOMINATING_SHARE) if share >= _SHARE else 0.0
    base = use.reading.base
    if len(uses) == 1:
        strength *= _ALONE
    if base is not None and use.reading.level < base * _GREW:
        strength *= _AS_BEFORE
    grew = f" ({quantity(base, 'cores')} before)" if base is not None else ""
    place = f"the pods seen on {label_of(node)} use"
    return finding(
        "metric.cpu_hog",
        use.component,
        strength,
        f"{use.pod} uses {quantity(use.reading.level, 'cores')}{grew}, {share:.0%} of the CPU that "
        f"{place}",
        [use.item],
        onset_at=use.reading.onset_at,
        details={
            "hog": use.pod,
            "hog_namespace": use.item.subject.get("namespace", ""),
            "hog_deployment": deployment_in(use.item) or "",
        },
    )


def _uses(case: Case, signal: str) -> list[_Use]:
    """Return what each pod uses; of several containers the largest."""
    found: dict[str, _Use] = {}
    for item in case.metrics(signal):
        reading, component = read(item, case.onset), case.component(item)
        if reading and component:
            pod = _pod(item)
            known = found.get(pod)
            if known is None or reading.level > known.reading.level:
                found[pod] = _Use(item=item, component=component, pod=pod, reading=reading)
    return [found[pod] for pod in sorted(found)]


def _pod(item: Evidence) -> str:
    subject: Mapping[str, str] = item.subject
    return subject.get("pod") or subject.get("workload") or subject.get("service") or ""
