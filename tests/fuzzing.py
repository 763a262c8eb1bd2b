"""Schemathesis over our OpenAPI: requests made from the description, answers held against it."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from werkzeug.serving import WSGIRequestHandler, make_server

_ACCEPTING = ("2xx", "3xx", 401, 403, 404, 409, 429, "5xx")
"""What Schemathesis lets a request that fits the schema be answered with."""
DESCRIPTION = "/api/openapi.json"
HANG_SECONDS = 30
"""An answer that takes longer has met something that never ends."""
OF_FILES = "^/api/v1/documents(/{document_id})?$"
"""Paths of operations that take a file: no schema says which bytes are a PDF."""
KNOWN_SHARE = 0.5
"""How often a parameter has a value that exists; else it is made up."""


@dataclass
class Run:
    """What a run saw."""

    failures: dict[tuple[str, ...], str] = field(default_factory=dict)
    """By kind: the first of it, with the reason and a command that shows it."""
    statuses: dict[str, set[int]] = field(default_factory=dict)
    """By operation: the statuses it answered with."""
    checks: set[str] = field(default_factory=set)
    """The checks that looked at an answer."""
    phases: set[str] = field(default_factory=set)
    """The phases that sent requests."""

    def never_accepted(self) -> list[str]:
        """Return operations that answered no request with 2xx."""
        return [name for name, seen in self.statuses.items() if not any(s < 300 for s in seen)]


def run(
    app: Flask,
    *,
    known: Mapping[str, Sequence[str | int]],
    token: str | None,
    seed: int,
    examples: int = 10,
    seconds: int | None = None,
) -> Run:
    """Send requests to every operation, all checks enabled.

    `known` has values that exist, by parameter: `path.incident_id`. Without `seconds` the same
    seed sends the same requests; with them requests go on until the time is up.
    """
    config = SchemathesisConfig.from_dict(_config(known, token, seed, examples, seconds))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    seen = Run()
    # over HTTP: in the same process Schemathesis 4.32 cannot try other credentials
    with _served(app) as url:
        schema = schemathesis.openapi.from_url(url + DESCRIPTION, config=config, headers=headers)
        for operation in schema.get_all_operations():
            seen.statuses[operation.ok().label] = set()
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError):
                seen.failures[event.label, event.info.title] = event.info.format()
            elif isinstance(event, events.FatalError):
                raise event.exception
            elif isinstance(event, events.ScenarioFinished):
                _note(seen, event.recorder, event.phase.value)
    return seen


class _Quiet(WSGIRequestHandler):
    """Keeps connections, and leaves the log to the app."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _config(
    known: Mapping[str, Sequence[str | int]],
    token: str | None,
    seed: int,
    examples: int,
    seconds: int | None,
) -> dict[str, Any]:
    names = {place: place.replace(".", "-") for place in known}
    config: dict[str, Any] = {
        "seed": seed,
        "workers": 1,
        "cache": {"enabled": False},
        "generation": {
            "mode": "all",
            "max-examples": examples,
            "deterministic": seconds is None,
            "database": "none",
        },
        "output": {"sanitization": {"enabled": False}},
        "checks": {"enabled": True, "max_response_time": HANG_SECONDS},
        "operations": [
            {
                "include-path-regex": OF_FILES,
                "checks": {
                    "positive_data_acceptance": {"expected-statuses": [*_ACCEPTING, 415, 422]}
                },
            }
        ],
        "dictionaries": {names[place]: {"values": list(known[place])} for place in known},
        "parameters": {
            place: {"dictionary": name, "probability": KNOWN_SHARE} for place, name in names.items()
        },
    }
    if seconds:
        config["max-time"] = seconds
    if token:
        config["auth"] = {"openapi": {"token": {"bearer": token}}}
    return config


def _note(seen: Run, recorder: ScenarioRecorder, phase: str) -> None:
    if recorder.interactions:
        seen.phases.add(phase)
    labels = {case_id: node.value.operation.label for case_id, node in recorder.cases.items()}
    for case_id, interaction in recorder.interactions.items():
        if interaction.response is not None and case_id in labels:
            seen.statuses[labels[case_id]].add(interaction.response.status_code)
    for case_id, checks in recorder.checks.items():
        for check in checks:
            seen.checks.add(check.name)
            if check.failure_info:
                failure = check.failure_info.failure
                kind = (labels[case_id], check.name, failure.title)
                told = (f"{' | '.join(kind)} ({phase})", failure.message)
                seen.failures.setdefault(kind, "\n".join((*told, check.failure_info.code_sample)))


def all_checks() -> set[str]:
    """Return the names of the checks that there are; `max_response_time` is a limit beside them."""
    schemathesis.checks.load_all_checks()
    return set(schemathesis.checks.CHECKS.get_all_names())
