"""Shows an incident and its diagnosis to a person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.client import Incident
from cli.exits import Exit

_VERDICTS = {
    "fault": ("fault", "bold red"),
    "healthy": ("nothing wrong", "bold green"),
    "insufficient_evidence": ("not enough evidence", "bold yellow"),
}
_SEVERITY_STYLES = {"critical": "bold red", "error": "red", "warning": "yellow"}
_LABEL_WIDTH = 12
_FIRST_STEPS = 3
_CERTAINTY = ((0.8, "high"), (0.5, "medium"), (0.0, "low"))


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    text: str
    style: str = ""
    verbatim: bool = False  #: to be copied, so never broken by us


def show(incident: Incident, address: str, console: Console, *, brief: bool = False) -> None:
    """Print the incident: what is wrong, how sure, why, and what to do; `brief`: at first."""
    console.print(title(incident), soft_wrap=True)
    for line in _lines(incident, address, brief=brief):
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
        (printable(incident.get("alert_name") or "?"), "bold"),
        "  ",
        (printable(severity), _SEVERITY_STYLES.get(severity, "")),
        f"  {printable(place)}" if place else "",
    )


def printable(text: str) -> str:
    """Return the text without what could steer a terminal: it came with an alert."""
    return "".join(char if char.isprintable() else " " for char in text)


def _lines(incident: Incident, address: str, *, brief: bool) -> Iterator[_Line]:
    report = incident.get("diagnostic_report")
    if report is not None:
        yield from _verdict(report)
        yield from _first_steps(report) if brief else _all_steps(report)
    elif incident["status"] == "failed":
        error = incident.get("last_error") or {}
        yield _Line("Failed", f"{error.get('class', '')}: {error.get('message', '')}", "red")
    else:
        yield _Line("Status", incident["status"].replace("_", " "))
    yield _Line("Incident", address, verbatim=True)


def _verdict(report: Mapping[str, Any]) -> Iterator[_Line]:
    verdict, style = _VERDICTS.get(report["verdict"], (report["verdict"], ""))
    score = report["confidence_score"]
    certainty = next(word for least, word in _CERTAINTY if score >= least)
    category = f" · {report['category']}" if report.get("category") else ""
    yield _Line("Verdict", f"{verdict}{category} · confidence {score:.2f} ({certainty})", style)
    yield _Line("Root cause", report["root_cause"], "bold")
    if report.get("root_cause_component"):
        yield _Line("Component", report["root_cause_component"])
    if len(report.get("propagation") or ()) > 1:
        yield _Line("Spread", " → ".join(report["propagation"]))
    cited = report.get("supporting_evidence") or []
    yield from _list("Evidence", [f"[{item['evidence_id']}] {item['statement']}" for item in cited])


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
