"""Log lines into evidence: grouped by template, counted before and after.

Any source of log lines uses it. One that asks for the two sides of `scope.calm_until` apart calls
`grouped` with a `Stretch` of each; one that has all lines together makes the two with `parted`.
What several questions found is joined by `merged`, also when there was only one, and
`log_evidence(groups, scope, source=…)` gives the evidence:

    before, after = parted(lines, scope, since=scope.baseline_start)
    groups = merged([grouped(query, before, after, LineReader())])
    evidence = log_evidence(groups, scope, source="kubernetes")
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opssage.evidence import Evidence, EvidenceKind
from opssage.places import owner_of, places_in
from opssage.redaction import redact_text
from opssage.wire import format_time
from tasks.collect.log_groups import (
    STEADY,
    SUBJECT_KEYS,
    UNKNOWN,
    VANISHED,
    Group,
    Groups,
    merged,
)
from tasks.collect.log_lines import (
    ERROR,
    fields_of,
    headline_of,
    level_of,
    message_of,
    template_of,
)
from tasks.collect.log_records import Line, Stretch, joined, parted
from tasks.collect.sentences import whom
from tasks.collect.source import Scope
from tasks.collect.stack_traces import Thrown, thrown_by, thrown_in

__all__ = ["Group", "Groups", "Line", "LineReader", "Stretch", "grouped", "log_evidence", "merged",
           "parted"]  # fmt: skip

MAX_TEMPLATES = 40
MAX_PLAIN = 10  #: templates as frequent as ever
MAX_VANISHED = 5
MAX_UNKNOWN = 20  #: templates of whose past nothing is known
MAX_EXAMPLES = 3
MAX_SCANNED = 50  #: lines of a group looked through for different examples
MAX_LINE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What a line says."""

    level: str
    template: str
    thrown: Thrown | None = None


class LineReader:
    """Reads lines; what is alike is read once."""

    def __init__(self) -> None:
        """Start without memory."""
        self._said: dict[tuple[str, str, str], Said] = {}

    def said(self, line: Line) -> Said:
        """Return level and template of a line. Secrets are out before anything is cut up."""
        labels = {**line.own, **line.labels}
        told = labels.get("detected_level") or labels.get("level", "")
        key = (line.text, told, line.own.get("exception_type", ""))
        if key not in self._said:
            self._said[key] = _read(redact_text(line.text), told, line.own)
        return self._said[key]


def _read(text: str, told: str, own: Mapping[str, str]) -> Said:
    first = text.partition("\n")[0]
    fields = fields_of(first)
    thrown = thrown_by(fields) or thrown_in(text) or thrown_by(own)
    level = level_of(first, fields) or level_of("", {"level": told}) or (ERROR if thrown else "")
    message = message_of(first, fields) if thrown is None else _of_trace(fields, thrown)
    return Said(level=level, template=template_of(message), thrown=thrown)


def _of_trace(fields: Mapping[str, Any], thrown: Thrown) -> str:
    headline = headline_of(fields)
    is_same = headline == thrown.message or str(thrown) in headline
    return str(thrown) if is_same or not headline else f"{headline}: {thrown}"


def grouped(query: str, before: Stretch, after: Stretch, reader: LineReader) -> Groups:
    """Return the groups of one selector's lines, by namespace, service and template."""
    groups: Groups = {}
    for stretch, side in ((before, "before"), (after, "after")):
        for line in joined(stretch.lines):
            said = reader.said(line)
            subject = _subject(line.labels)
            key = (subject.get("namespace", ""), subject.get("service", ""), said.template)
            group = groups.get(key)
            if group is None:
                group = groups[key] = Group(
                    template=said.template,
                    level=said.level,
                    thrown=said.thrown,
                    query=query,
                    stretches=(before, after),
                )
            if subject not in group.subjects:
                group.subjects.append(subject)
            getattr(group, side).append(line)
    return groups


def _subject(labels: Mapping[str, str]) -> dict[str, str]:
    subject = places_in(labels)  # who writes a line is who it is about
    if subject.get("service", "unknown_service") == "unknown_service":
        name = owner_of(subject.get("pod", "")) or subject.get("container", "")
        subject = {**subject, "service": name} if name else subject
    return {key: subject[key] for key in SUBJECT_KEYS if key in subject}


def log_evidence(groups: Groups, scope: Scope, *, source: str) -> tuple[Evidence, ...]:
    """Return the telling groups: news first, then some others for comparison."""
    allowed = {VANISHED: MAX_VANISHED, UNKNOWN: MAX_UNKNOWN, STEADY: MAX_PLAIN}
    kept: list[Group] = []
    for _, group in sorted(groups.items(), key=lambda item: (item[1].rank, item[0])):
        left = allowed.get(group.change, MAX_TEMPLATES)
        if left:
            kept.append(group)
            allowed[group.change] = left - 1
    return tuple(_evidence(group, scope, source) for group in kept[:MAX_TEMPLATES])


def _evidence(group: Group, scope: Scope, source: str) -> Evidence:
    first_at = None if group.first_at is None else _moment(group.first_at)
    seen = group.after[0] if group.after else group.before[-1]
    data: dict[str, Any] = {
        "template": group.template,
        "level": group.level,
        "change": group.change,
        "count_before": len(group.before) if group.is_comparable else None,
        "count_after": len(group.after),
        "rate_before": group.rate_before if group.is_comparable else None,
        "rate_after": group.rate_after,
        "first_at": None if first_at is None else format_time(first_at),
        "examples": _examples(group),
    }
    if (thrown := group.thrown) is not None:
        data["exception"] = {"type": thrown.type, "message": thrown.message, "at": thrown.at}
    return Evidence(
        kind=EvidenceKind.LOG,
        source=source,
        summary=_summary(group),
        observed_at=first_at or _moment(seen.at),
        subject=group.subject,
        query=group.query,
        window=scope.window,
        data=data,
    )


def _summary(group: Group) -> str:
    level = f"{group.level} " if group.level else ""
    where = whom(group.subject)
    at = f" at {group.thrown.at}" if group.thrown and group.thrown.at else ""
    if not group.is_comparable:
        course = f"{len(group.after)} since onset; what was before could not be read"
    elif not group.before:
        course = f"{len(group.after)} since onset, none before"
    elif group.change == VANISHED:
        last = _moment(group.before[-1].at).strftime("%H:%M:%S")
        course = f"{group.rate_before:g} a minute until {last}, none since"
    else:
        course = f"{group.rate_before:g} a minute before onset, {group.rate_after:g} since"
    return f"{level}log line of {where}: “{group.template}”{at}: {course}"


def _examples(group: Group) -> list[str]:
    lines = (group.after or group.before)[:MAX_SCANNED]
    distinct = dict.fromkeys(_example(redact_text(line.text), group.thrown) for line in lines)
    return list(distinct)[:MAX_EXAMPLES]


def _example(text: str, thrown: Thrown | None) -> str:
    """Return the line as it came, of several the first, with what was thrown."""
    first = text.partition("\n")[0]
    thrown = thrown and (thrown_in(text) or thrown)
    if thrown is None or str(thrown) in first[:MAX_LINE]:
        return first[:MAX_LINE]
    return f"{first[: MAX_LINE // 2]} … {thrown}"[:MAX_LINE]


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC)
