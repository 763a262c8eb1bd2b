"""What people are told of an incident: plain text that reads well in a chat and in a mail."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opssage.diagnosis import Verdict, certainty
from opssage.incident import Incident, Status
from opssage.notification import Event
from opssage.redaction import redact_text

_TITLE_CHARS = 150
_VALUE_CHARS = 600
_SAFE = "low"

_WITHOUT_CAUSE: Mapping[str, str] = {
    Verdict.HEALTHY: "nothing is wrong",
    Verdict.INSUFFICIENT_EVIDENCE: "not enough evidence to tell the cause",
}

Line = tuple[str, str]
"""A label, which may be empty, and what stands behind it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What is sent."""

    event: Event
    title: str  #: one line
    body: str


def message(incident: Incident, event: Event, revision: int, base_url: str) -> Message:
    """Tell of an event that happened when the incident was at this revision.

    `incident` has the answer of that revision. Nothing that looks like a secret comes out.
    """
    headline, lines = _TEMPLATES[event](incident)
    shown = (
        *lines,
        ("Alert", f"{incident.alert_name}, {incident.severity}"),
        ("Where", _place(incident)),
        ("Opened", f"{incident.created_at:%Y-%m-%d %H:%M:%SZ}"),
        *_revision(incident, revision),
        ("Details", link(incident, base_url)),
    )
    place = f" on {_place(incident)}" if _place(incident) else ""
    title = f"[{incident.severity}] {incident.alert_name}{place}: {headline}"
    return Message(event=event, title=_plain(title, _TITLE_CHARS), body=_body(shown))


def trial(base_url: str) -> Message:
    """Return a message that says only that messages arrive."""
    return Message(
        event=Event.COMPLETED,
        title="OpsSage: a test message",
        body=f"Notifications of OpsSage arrive here.\nIt runs at: {base_url}",
    )


def link(incident: Incident, base_url: str) -> str:
    """Return where all of an incident is to be read."""
    return f"{base_url}/api/v1/incidents/{incident.incident_id}"


def _completed(incident: Incident) -> tuple[str, Iterator[Line]]:
    report = incident.diagnostic_report or {}
    headline = _WITHOUT_CAUSE.get(report.get("verdict", ""), incident.root_cause or "diagnosed")
    return headline, _answer(incident, report)


def _answer(incident: Incident, report: Mapping[str, Any]) -> Iterator[Line]:
    verdict = str(report.get("verdict", "")).replace("_", " ")
    category = report.get("category")
    yield "Verdict", f"{verdict}, {category}" if verdict and category else verdict
    yield "Root cause", incident.root_cause or ""
    if (score := incident.confidence_score) is not None:
        yield "Confidence", f"{certainty(score)} ({score:.2f})"
    remedy = report.get("recommended_remediation") or {}
    yield from _first_step(remedy.get("short_term_actions") or ())
    yield "Check next", next(iter(report.get("next_checks") or ()), "")


def _first_step(actions: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """Yield the first step that is safe, or the first of all with its risk."""
    chosen = next((each for each in actions if each.get("risk", _SAFE) == _SAFE), None)
    chosen = chosen or next(iter(actions), None)
    if chosen is None:
        return
    yield "Do first", f"{chosen['action']} (risk: {chosen.get('risk', _SAFE)})"
    yield "Command", chosen.get("command", "")
    yield "Then", chosen.get("verify", "")


def _failed(incident: Incident) -> tuple[str, Iterator[Line]]:
    return "could not be diagnosed", _reason(incident)


def _reason(incident: Incident) -> Iterator[Line]:
    error = incident.last_error
    if error is None:
        yield "Error", "kept in the incident's timeline; it has been run again since"
    else:
        yield "Error", f"{error.get('class', 'unknown')}: {error.get('message', '')}"
        yield "Stage", str(error.get("stage", ""))
        yield "Attempts", str(error.get("attempts", ""))
    if incident.status is Status.FAILED:
        yield "To run it again", f"opssage retry {incident.incident_id}"


def _reopened(incident: Incident) -> tuple[str, Iterator[Line]]:
    return "fires again", iter([("Earlier answer", incident.root_cause or "")])


_TEMPLATES = {
    Event.COMPLETED: _completed,
    Event.FAILED: _failed,
    Event.REOPENED: _reopened,
}
"""For each event the end of the title, and the lines that come first."""


def _place(incident: Incident) -> str:
    return "/".join(filter(None, (incident.namespace, incident.service)))


def _revision(incident: Incident, revision: int) -> Iterator[Line]:
    if incident.revision > revision:
        state = incident.status.value.replace("_", " ")
        yield "Revision", f"{revision}; revision {incident.revision} has begun since: {state}"
    elif revision > 1:
        yield "Revision", str(revision)


def _body(lines: Sequence[Line]) -> str:
    told = ((label, _plain(text, _VALUE_CHARS)) for label, text in lines)
    return "\n".join(f"{label}: {text}" for label, text in told if text)


def _plain(text: str, most: int) -> str:
    """Return one line without secrets or characters that do not print: it came with an alert."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(redact_text(printable).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
