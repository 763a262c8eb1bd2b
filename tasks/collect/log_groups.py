"""Groups of log lines: what share a template, and whether it came, grew or went since onset."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from opssage.evidence import SURGE_FACTOR, SURGE_LINES
from tasks.collect.log_folding import folded
from tasks.collect.log_lines import ERROR, INFO, WARNING
from tasks.collect.log_records import Line, Stretch
from tasks.collect.stack_traces import Thrown

NEW, SURGED, VANISHED, STEADY = "new", "surged", "vanished", "steady"
UNKNOWN = "unknown"  #: what was written before onset could not be read

_SURE_LINES = 3
"""Where a limit left less of the time before than of the time after, so many lines must have been
expected there for their absence to mean something: by Poisson's law chance leaves none of them in
one case of twenty. That is asked of lines only that call themselves harmless: of a container that
keeps ending there is no time before."""

_GONE_LINES = 5  #: the same of lines that are said to be gone: one case of 150
_REGULAR_LINES = 10  #: lines before, at least …
_REGULAR_QUARTERS = 4  #: … and some in each quarter of the time, else they were a burst

_RANK = {ERROR: 0, WARNING: 1, "": 2, INFO: 3}
_NEWS = {NEW: 0, SURGED: 0, VANISHED: 1, UNKNOWN: 2, STEADY: 3}
SUBJECT_KEYS = ("namespace", "service", "pod", "container")


@dataclass(kw_only=True, slots=True)
class Group:
    """The lines of one service that share a template."""

    template: str
    level: str
    query: str
    thrown: Thrown | None = None
    subjects: list[dict[str, str]] = field(default_factory=list)
    before: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)
    stretches: tuple[Stretch, Stretch] = (Stretch(), Stretch())

    @property
    def rate_before(self) -> float:
        """Lines per minute."""
        return _per_minute(len(self.before), self.stretches[0].covered_seconds)

    @property
    def rate_after(self) -> float:
        """Lines per minute."""
        return _per_minute(len(self.after), self.stretches[1].covered_seconds)

    @property
    def covered_seconds(self) -> float:
        """How much of the time before and after was looked through."""
        return sum(stretch.covered_seconds for stretch in self.stretches)

    @property
    def first_at(self) -> int | None:
        """When it was first seen since onset; None when nobody knows."""
        is_certain = self.is_comparable and self.stretches[1].is_complete
        return self.after[0].at if self.after and is_certain else None

    @property
    def is_comparable(self) -> bool:
        """False when the lines of the time before could not be read."""
        return self.stretches[0].is_known

    @property
    def change(self) -> str:
        """What became of it: new, surged, vanished, steady, or unknown."""
        before, after = self.stretches
        if not before.is_known:
            return UNKNOWN
        if not self.after:
            expected = self.rate_before * after.covered_seconds / 60
            is_gone = after.is_complete and expected >= _GONE_LINES and self._was_regular
            return VANISHED if is_gone else STEADY
        if not self.before:
            expected = self.rate_after * before.covered_seconds / 60
            is_long = before.covered_seconds >= after.covered_seconds
            is_sure = before.is_complete or is_long or expected >= _SURE_LINES
            return NEW if is_sure or self.level != INFO else STEADY
        is_surge = self.rate_after >= SURGE_FACTOR * self.rate_before
        return SURGED if is_surge and len(self.after) >= SURGE_LINES else STEADY

    @property
    def _was_regular(self) -> bool:
        quarter = self.stretches[0].covered_seconds * 1e9 / _REGULAR_QUARTERS
        oldest = self.before[0].at
        quarters = {int((line.at - oldest) // max(quarter, 1)) for line in self.before}
        return len(self.before) >= _REGULAR_LINES and len(quarters) >= _REGULAR_QUARTERS

    @property
    def subject(self) -> dict[str, str]:
        """What all its lines have in common."""
        first, *others = self.subjects
        return {
            key: first[key]
            for key in SUBJECT_KEYS
            if key in first and all(other.get(key) == first[key] for other in others)
        }

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sort news first, then errors, then by how often."""
        rate = self.rate_after or self.rate_before
        return (_NEWS[self.change], _RANK[self.level], -rate, self.template)


Groups = dict[tuple[str, str, str], Group]


def _per_minute(count: int, seconds: float) -> float:
    return round(count * 60 / max(seconds, 1.0), 3)


def merged(selectors: Iterable[Groups]) -> Groups:
    """Join what several selectors found, and fold templates that differ by a name.

    The same group of other pods is added. Where two selectors saw the same lines, those stay of
    the one that saw more time.
    """
    found: Groups = {}
    for groups in selectors:
        for key, group in groups.items():
            known = found.get(key)
            if known is None:
                found[key] = group
            elif any(subject in known.subjects for subject in group.subjects):
                found[key] = max(known, group, key=_seen)
            else:
                found[key] = _together(known, group)
    return _folded(found)


def _seen(group: Group) -> tuple[bool, float]:
    return group.is_comparable, group.covered_seconds


def _folded(groups: Groups) -> Groups:
    templates: dict[tuple[str, str], list[str]] = defaultdict(list)
    for namespace, service, template in groups:
        templates[namespace, service].append(template)
    became = {place: folded(known) for place, known in templates.items()}
    result: Groups = {}
    for (namespace, service, template), group in sorted(groups.items()):
        group.template = became[namespace, service].get(template, template)
        key = (namespace, service, group.template)
        result[key] = _together(result[key], group) if key in result else group
    return result


def _together(one: Group, other: Group) -> Group:
    """Return both as one, over the time of the one that saw more.

    Lines that nothing is known of before onset would make news of what they are added to.
    """
    if one.is_comparable != other.is_comparable:
        return one if one.is_comparable else other
    main, side = (one, other) if one.covered_seconds >= other.covered_seconds else (other, one)
    main.before = sorted([*main.before, *side.before], key=lambda line: line.at)
    main.after = sorted([*main.after, *side.after], key=lambda line: line.at)
    main.subjects += [subject for subject in side.subjects if subject not in main.subjects]
    main.level = min(main.level, side.level, key=lambda level: _RANK[level])
    main.thrown = main.thrown or side.thrown
    return main
