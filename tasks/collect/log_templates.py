"""Log lines into evidence: grouped by template, counted before and after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opssage.evidence import SURGE_FACTOR, SURGE_LINES, Evidence, EvidenceKind
from opssage.places import owner_of, places_in
from opssage.redaction import redact_text
from opssage.wire import format_time
from tasks.collect.log_lines import (
    ERROR,
    INFO,
    WARNING,
    fields_of,
    is_continuation,
    level_of,
    message_of,
    template_of,
)
from tasks.collect.sentences import whom
from tasks.collect.source import Scope

SOURCE = "loki"
MAX_TEMPLATES = 40
MAX_PLAIN = 10  #: templates that neither appeared nor surged
MAX_EXAMPLES = 3
MAX_SCANNED = 50  #: lines of a group looked through for different examples
MAX_LINE = 500

_RANK = {ERROR: 0, WARNING: 1, "": 2, INFO: 3}
_SUBJECT_KEYS = ("namespace", "service", "pod", "container")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One log line as it was answered."""

    at: int  #: nanoseconds since the epoch
    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """The lines of one range, oldest first, and how much of the range they cover."""

    lines: tuple[Line, ...] = ()
    covered_seconds: float = 0.0
    is_complete: bool = True  #: False when the limit cut off older lines


@dataclass(kw_only=True, slots=True)
class Group:
    """The lines of one service that share a template."""

    template: str
    level: str
    query: str
    subjects: list[dict[str, str]] = field(default_factory=list)
    before: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)
    rate_before: float = 0.0  #: lines per minute
    rate_after: float = 0.0
    covered_seconds: float = 0.0
    first_at: int | None = None  #: None when older lines may have been cut off

    @property
    def is_news(self) -> bool:
        """True when the template appeared, or came far more often."""
        return (not self.before and bool(self.after)) or (
            len(self.after) >= SURGE_LINES and self.rate_after >= SURGE_FACTOR * self.rate_before
        )

    @property
    def subject(self) -> dict[str, str]:
        """What all its lines have in common."""
        first, *others = self.subjects
        return {
            key: first[key]
            for key in _SUBJECT_KEYS
            if key in first and all(other.get(key) == first[key] for other in others)
        }

    @property
    def rank(self) -> tuple[Any, ...]:
        """Sort news first, then errors, then by how often."""
        return (not self.is_news, _RANK[self.level], -self.rate_after, self.template)


Groups = dict[tuple[str, str, str], Group]


class LineReader:
    """Reads lines; what is alike is read once."""

    def __init__(self) -> None:
        """Start without memory."""
        self._said: dict[tuple[str, str], tuple[str, str]] = {}

    def said(self, line: Line) -> tuple[str, str]:
        """Return level and template of a line. Secrets are out before anything is cut up."""
        told = line.labels.get("detected_level") or line.labels.get("level", "")
        key = (line.text, told)
        if key not in self._said:
            text = redact_text(line.text)
            fields = fields_of(text)
            level = level_of(text, fields) or level_of("", {"level": told})
            self._said[key] = (level, template_of(message_of(text, fields)))
        return self._said[key]


def grouped(query: str, before: Stretch, after: Stretch, reader: LineReader) -> Groups:
    """Return the groups of one selector's lines, by namespace, service and template."""
    groups: Groups = {}
    for stretch, side in ((before, "before"), (after, "after")):
        for line in stretch.lines:
            if is_continuation(line.text):
                continue
            level, template = reader.said(line)
            subject = _subject(line.labels)
            key = (subject.get("namespace", ""), subject.get("service", ""), template)
            group = groups.setdefault(key, Group(template=template, level=level, query=query))
            if subject not in group.subjects:
                group.subjects.append(subject)
            getattr(group, side).append(line)
    for group in groups.values():
        group.rate_before = _per_minute(len(group.before), before.covered_seconds)
        group.rate_after = _per_minute(len(group.after), after.covered_seconds)
        group.covered_seconds = after.covered_seconds
        if group.after and after.is_complete:
            group.first_at = group.after[0].at
    return groups


def _per_minute(count: int, seconds: float) -> float:
    return round(count * 60 / max(seconds, 1.0), 3)


def _subject(labels: Mapping[str, str]) -> dict[str, str]:
    subject = places_in(labels)  # who writes a line is who it is about
    if subject.get("service", "unknown_service") == "unknown_service":
        name = owner_of(subject.get("pod", "")) or subject.get("container", "")
        subject = {**subject, "service": name} if name else subject
    return {key: subject[key] for key in _SUBJECT_KEYS if key in subject}


def merged(selectors: Iterable[Groups]) -> Groups:
    """Join what several selectors found: of the same group, the one that saw more time stays."""
    best: Groups = {}
    for groups in selectors:
        for key, group in groups.items():
            if key not in best or group.covered_seconds > best[key].covered_seconds:
                best[key] = group
    return best


def log_evidence(groups: Groups, scope: Scope) -> tuple[Evidence, ...]:
    """Return the telling groups: news first, then some others for comparison."""
    kept: list[Group] = []
    plain = 0
    for _, group in sorted(groups.items(), key=lambda item: (item[1].rank, item[0])):
        plain += not group.is_news
        if group.is_news or plain <= MAX_PLAIN:
            kept.append(group)
    return tuple(_evidence(group, scope) for group in kept[:MAX_TEMPLATES])


def _evidence(group: Group, scope: Scope) -> Evidence:
    seen = (group.after or group.before)[0]
    first_at = None if group.first_at is None else _moment(group.first_at)
    return Evidence(
        kind=EvidenceKind.LOG,
        source=SOURCE,
        summary=_summary(group),
        observed_at=first_at or _moment(seen.at),
        subject=group.subject,
        query=group.query,
        window=scope.window,
        data={
            "template": group.template,
            "level": group.level,
            "count_before": len(group.before),
            "count_after": len(group.after),
            "rate_before": group.rate_before,
            "rate_after": group.rate_after,
            "first_at": None if first_at is None else format_time(first_at),
            "examples": _examples(group.after or group.before),
        },
    )


def _summary(group: Group) -> str:
    level = f"{group.level} " if group.level else ""
    where = whom(group.subject)
    if not group.before:
        course = f"{len(group.after)} since onset, none before"
    else:
        course = f"{group.rate_before:g} a minute before onset, {group.rate_after:g} since"
    return f"{level}log line of {where}: “{group.template}”: {course}"


def _examples(lines: Sequence[Line]) -> list[str]:
    distinct = dict.fromkeys(redact_text(line.text)[:MAX_LINE] for line in lines[:MAX_SCANNED])
    return list(distinct)[:MAX_EXAMPLES]


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
