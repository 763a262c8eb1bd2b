"""Bounds of a namespace: ResourceQuotas and LimitRanges."""

from collections.abc import Iterator

from tasks.collect.kubernetes.api import Document
from tasks.collect.kubernetes.known import Known
from tasks.collect.kubernetes.quantities import number
from tasks.collect.kubernetes.sight import (
    Problem,
    Sight,
    mapping,
    mappings,
    told,
)


def quota(item: Document, _: Known) -> Sight:
    """Return what a ResourceQuota allows and how much of it is used."""
    facts = {"hard": mapping(item, "status", "hard"), "used": mapping(item, "status", "used")}
    return Sight(facts=told(facts), problems=tuple(_used_up(item)))


def _used_up(item: Document) -> Iterator[Problem]:
    hard, used = mapping(item, "status", "hard"), mapping(item, "status", "used")
    for resource, allowed in sorted(hard.items()):
        most, now = number(allowed), number(used.get(resource))
        if most is not None and now is not None and now >= most > 0:
            message = f"{resource}: {used[resource]} of {allowed} used"
            yield Problem(reason="QuotaExceeded", message=message)


def limit_range(item: Document, _: Known) -> Sight:
    """Return what a LimitRange demands of containers and pods."""
    return Sight(facts=told({"limits": [dict(each) for each in mappings(item, "spec", "limits")]}))
