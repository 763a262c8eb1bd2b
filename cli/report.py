"""Shows an incident and its diagnosis to a person."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Incident, KeptAlert
from cli.exits import Exit
from opssage.diagnosis import Verdict, certainty
from opssage.incident import AlertClass, Status
from opssage.linking import ITSELF
from opssage.wire import parse_time

_VERDICTS = {
    "fault": ("fault", "bold red"),
    "healthy": ("nothing wrong", "bold green"),
    "insufficient_evidence": ("not enough evidence", "bold yellow"),
}
_SEVERITY_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow"}
_BLIND = {
    AlertClass.NO_DATA: "for want of data",
    AlertClass.SOURCE_ERROR: "by an error of their source",
}
_LABEL_WIDTH = 12
_FIRST_STEPS = 3
_MOST_CAUSES = 3
_MOST_LINKED = 10
_LEAST_CHANCE = 0.01  # below it a number would look more exact than it is


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    text: str
    style: str = ""
    verbatim: bool = False  #: to be copied, so never broken by us


def show(
    incident: Incident,
    address: str,
    console: Console,
    *,
    brief: bool = False,
    earlier: bool = False,
    alerts: str = "",
) -> None:
    """Print the incident: what is wrong, how sure, why, and what to do; `brief`: at first.

    `earlier` marks a diagnosis that knows nothing of the alerts just sent; `alerts` says how many
    there are.
    """
    console.print(title(incident), soft_wrap=True)
    for line in _lines(incident, address, brief=brief, earlier=earlier, alerts=alerts):
        label, text = f"  {line.label:<{_LABEL_WIDTH}}", Text(printable(line.text), line.style)
        if line.verbatim or not console.is_terminal:
            console.print(Text.assemble((label, "dim"), text), soft_wrap=True)
        else:
            grid = Table.grid()
            grid.add_row(Text(label, "dim"), text)
            console.print(grid)


def outcome(*incidents: Incident) -> Exit:
    """Return the exit code that tells a script how the investigations ended, the worst first."""
    if any(incident["status"] == "failed" for incident in incidents):
        return Exit.FAILURE
    reports = [incident.get("diagnostic_report") or {} for incident in incidents]
    if any(report.get("verdict") == "insufficient_evidence" for report in reports):
        return Exit.INCONCLUSIVE
    return Exit.OK


def title(incident: Incident) -> Text:
    """Return the line an incident is recognised by."""
    severity = incident.get("severity") or ""
    place = "/".join(filter(None, (incident.get("namespace"), incident.get("service"))))
    return Text.assemble(
        (printable(incident.get("alert_name") or "(no name)"), "bold"),
        "  ",
        (printable(severity), _SEVERITY_STYLES.get(severity, "")),
        f"  {printable(place)}" if place else "",
    )


def printable(text: str) -> str:
    """Return the text without what could steer a terminal: it came with an alert."""
    return "".join(char if char.isprintable() else " " for char in text)


def fault(error: Mapping[str, Any]) -> str:
    """Return what an incident's `last_error` says, without the traceback."""
    attempts = error.get("attempts")
    tried = f" (attempts: {attempts})" if attempts else ""
    return f"{error.get('class', '')}: {error.get('message', '')}{tried}"


def counted(alerts: Sequence[KeptAlert], *, more: bool) -> str:
    """Return how many alerts fire and how many are over; `more`: at least.

    Those that tell of a blind rule, rather than of what it looks at, are counted apart.
    """
    numbers = Counter(
        " ".join(filter(None, (alert["status"], _BLIND.get(alert.get("alert_class", "")))))
        for alert in alerts
    )
    told = [f"{number} {words}" for words, number in sorted(numbers.items())]
    return ", ".join([*told, "and more"] if more else told)


def _lines(
    incident: Incident, address: str, *, brief: bool, earlier: bool, alerts: str
) -> Iterator[_Line]:
    report = incident.get("diagnostic_report")
    if earlier and report is not None:
        yield _Line("Diagnosed", _when(incident), "yellow")
    if not brief or report is None:
        yield from _state(incident)
        if alerts:
            yield _Line("Alerts", alerts)
    if report is not None:
        yield from _verdict(report, brief=brief)
        yield from _event(incident)
        yield from _first_steps(report) if brief else _all_steps(report)
    if not brief:
        pages = (incident.get("enhanced_context") or {}).get("runbook_urls") or []
        yield from (_Line("Runbook", url, verbatim=True) for url in pages)
    yield _Line("Incident", address, verbatim=True)


def _when(incident: Incident) -> str:
    """Return when a diagnosis was made, by the last evidence it could see."""
    window = (incident.get("primary_context") or {}).get("window") or {}
    until = f", on evidence until {_moment(window['end'])}" if window else ""
    return f"before these alerts came{until}"


def _state(incident: Incident) -> Iterator[_Line]:
    resolved_at = incident.get("resolved_at")
    alerts = f"resolved {_moment(resolved_at)}" if resolved_at else "firing"
    archived_at = incident.get("archived_at")
    archived = (f"archived {_moment(archived_at)}",) if archived_at else ()
    status = Status(incident["status"])
    words = (status.value.replace("_", " "), alerts, f"opened {_moment(incident['created_at'])}")
    yield _Line("Status", " · ".join((*words, *archived)))
    yield from _marks(incident)
    if error := incident.get("last_error"):
        failed = status is Status.FAILED
        yield _Line(
            "Failed" if failed else "Last error", fault(error), "red" if failed else "yellow"
        )


def _marks(incident: Incident) -> Iterator[_Line]:
    """Yield what people have to know before they trust that they see all of it."""
    if incident.get("acked_at"):
        yield _Line("Acked", f"by {incident['acked_by']} · {_moment(incident['acked_at'])}")
    if times := incident.get("flap_count"):
        flapping = ": flapping, and not diagnosed again by itself" if incident["flapping"] else ""
        yield _Line("Reopened", f"{times}×{flapping}", "yellow" if flapping else "")
    if left_out := incident.get("truncated_alerts"):
        yield _Line("Partial", f"its sender left out up to {left_out} alerts", "yellow")


def _moment(text: str) -> str:
    return f"{parse_time(text):%Y-%m-%d %H:%M:%SZ}"


def _verdict(report: Mapping[str, Any], *, brief: bool) -> Iterator[_Line]:
    verdict, style = _VERDICTS.get(report["verdict"], (report["verdict"], ""))
    score = report["confidence_score"]
    category = f" · {report['category']}" if report.get("category") else ""
    told = f"{verdict}{category} · confidence {score:.2f} ({certainty(score)})"
    yield _Line("Verdict", told, style)
    yield _Line("Root cause", report["root_cause"], "bold")
    if component := report.get("root_cause_component"):
        owner = f" · owner: {report['owner']}" if report.get("owner") else ""
        yield _Line("Component", f"{component}{owner}")
    if len(path := report.get("propagation") or []) > 1:
        yield _Line("Spread", f"{path[0]}, then {', '.join(path[1:])}")
    if not brief:
        yield from _other_causes(report)
    cited = report.get("supporting_evidence") or []
    yield from _list("Evidence", [f"[{item['evidence_id']}] {item['statement']}" for item in cited])


def _event(incident: Incident) -> Iterator[_Line]:
    """Yield the incidents that are one event with this one, and where it likely began."""
    event = (incident.get("enhanced_context") or {}).get("event") or {}
    others = [each for each in event.get("members", []) if each["reason"] != ITSELF]
    if root := event.get("likely_root"):
        path = f" · {' → '.join(event['path'])}" if len(event["path"]) > 1 else ""
        yield _Line("Event", f"of {len(others) + 1} incidents, began at {root['component']}{path}")
    yield from _list("Linked", [_linked(each) for each in others[:_MOST_LINKED]])


def _linked(member: Mapping[str, Any]) -> str:
    place = f" of {member['component']}" if member["component"] else ""
    reason = str(member["reason"]).replace("_", " ")
    return f"{member['incident_id']}  {member['alert_name']}{place} ({reason})"


def _other_causes(report: Mapping[str, Any]) -> Iterator[_Line]:
    """Yield the runners-up, or all leads when there is no verdict that rests on the first."""
    undecided = report["verdict"] == Verdict.INSUFFICIENT_EVIDENCE
    ranked = report.get("hypotheses") or []
    others = ranked[0 if undecided else 1 : _MOST_CAUSES]
    if undecided and [each.get("cause") for each in ranked] == ["something_else"]:
        return  # that it is something unknown is no finding
    texts = [f"{_chance(each['probability'])}  {each['title']}" for each in others]
    yield from _list("Possible" if undecided else "Or else", texts)


def _chance(probability: float) -> str:
    return "<1 %" if probability < _LEAST_CHANCE else f"{probability * 100:.0f} %"


def _first_steps(report: Mapping[str, Any]) -> Iterator[_Line]:
    remedy = report.get("recommended_remediation") or {}
    yield from _steps("Do now", (remedy.get("short_term_actions") or [])[:_FIRST_STEPS])


def _all_steps(report: Mapping[str, Any]) -> Iterator[_Line]:
    remedy = report.get("recommended_remediation") or {}
    yield from _steps("Do now", remedy.get("short_term_actions") or [])
    yield from _steps("Do later", remedy.get("long_term_actions") or [])
    yield from _list("Check next", report.get("next_checks") or [])


def _steps(label: str, actions: Sequence[Mapping[str, Any]]) -> Iterator[_Line]:
    for number, action in enumerate(actions, 1):
        yield _Line(
            "" if number > 1 else label, f"{number}. {action['action']} (risk: {action['risk']})"
        )
        if action.get("command"):
            yield _Line("", f"   $ {action['command']}", verbatim=True)
        if action.get("verify"):
            yield _Line("", f"   then: {action['verify']}")


def _list(label: str, items: Sequence[str]) -> Iterator[_Line]:
    for position, item in enumerate(items):
        yield _Line("" if position else label, item)
