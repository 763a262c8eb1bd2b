"""The API answers whatever its description allows, and everything else, as the description says.

`make fuzz` runs longer, with a seed of its own that it tells.
"""

import gzip
import os
import re
import secrets
from collections.abc import Iterator
from uuid import UUID

import fuzzing
import pytest
from factories import REPORT, alert, group
from flask import Flask
from past import alone, over
from steps import claimed

from opssage.access import Actor, Scope
from opssage.incident import Reject, Stage
from opssage.settings import DatabaseSettings, load
from store import Judgement, NewDocument, Store, connect
from tasks.enrich.runbooks import parse_runbook
from webapi.app import create_app

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TOKEN = "a-token-that-may-do-everything"
SECONDS = int(os.environ.get("FUZZ_SECONDS") or 0) or None
SEED = int(os.environ.get("FUZZ_SEED") or 0) or (secrets.randbits(32) if SECONDS else 7)

SOMEBODY = Actor(name="somebody")
EVIDENCE = {
    "evidence_collected": {
        "metrics": [
            {
                "evidence_id": "E1",
                "kind": "metric",
                "source": "prometheus",
                "summary": "errors rose from 0 to 0.3",
                "observed_at": "2026-11-23T03:00:00.000000Z",
                "subject": {"service": "checkout"},
                "query": "errors",
                "window": None,
                "data": {},
            }
        ]
    }
}

RECORDING = gzip.compress(b"{}")

# the limit of reads would be the answer to most of a run
CONFIG = "auth: {{mode: {mode}, token: {token}}}\nweb: {{reads_per_minute: 0}}\n"


@pytest.fixture(scope="module", params=["open", "token"])
def mode(request: pytest.FixtureRequest) -> str:
    """Who may call: everybody, or whoever has a token."""
    return str(request.param)


@pytest.fixture(scope="module")
def store(mode: str, request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[Store]:
    """A store of the mode's own: on SQLite, and with tokens on PostgreSQL."""
    folder = tmp_path_factory.mktemp("fuzzed")
    url = (
        request.getfixturevalue("postgres_url")
        if mode == "token"
        else f"sqlite:///{folder / 'opssage.db'}"
    )
    opened = connect(DatabaseSettings(url=url), folder)
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def app(mode: str, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The app over that store."""
    config = tmp_path_factory.mktemp(mode) / "config.yaml"
    config.write_text(CONFIG.format(mode=mode, token=TOKEN if mode == "token" else "null"))
    return create_app(load(config, environ={}), store, lambda: None, {"database": store.ping})


@pytest.fixture(scope="module")
def run(app: Flask, mode: str, store: Store) -> fuzzing.Run:
    """One run over all operations of the app."""
    if SECONDS:
        print(f"\nFUZZ_SEED={SEED}")  # noqa: T201 - told to whoever looks for the same failure
    return fuzzing.run(
        app,
        known=_filled(store),
        token=TOKEN if mode == "token" else None,
        seed=SEED,
        seconds=SECONDS,
    )


def _filled(store: Store) -> dict[str, list[str | int]]:
    """Put something of everything into the store; returns the ids by parameter."""
    pending = [alone(store, f"Pending{n}") for n in range(4)]
    diagnosed = [_diagnosed(store, f"Diagnosed{n}") for n in range(4)]
    store.acknowledge(diagnosed[0], SOMEBODY, "I look after it")
    store.add_feedback(diagnosed[1], SOMEBODY, Judgement.CONFIRMED, comment="as it was")
    failed = alone(store, "Failed")
    epoch = claimed(store, failed).epoch
    store.update_status(failed, Stage.COLLECT, epoch, {"error": "out of memory"}, give_up=True)
    archived = over(store, "Archived")
    store.archive_incidents(0, limit=10)
    for stray in (alert("Watchdog"), alert("OnlyEnded", resolved_after=60)):
        store.create_incident(group(stray, key=stray.name))
    return {
        "path.incident_id": [str(each) for each in (*diagnosed, *pending, failed, archived)],
        "path.evidence_id": ["E1"],
        "path.reject_id": _rejects(store),
        "path.document_id": _documents(store),
        "path.token_id": [_token(store, f"token{n}") for n in range(3)],
    }


def _diagnosed(store: Store, name: str) -> UUID:
    incident_id = alone(store, name)
    for stage, verb, *told in (
        (Stage.COLLECT, store.update_primary_context, {"alert_seq": 1, **EVIDENCE}, RECORDING),
        (Stage.ENRICH, store.update_enhanced_context, {}),
        (Stage.DIAGNOSE, store.update_diagnostic_report, REPORT),
    ):
        verb(incident_id, claimed(store, incident_id, stage).epoch, *told)
    return incident_id


def _token(store: Store, name: str) -> str:
    return store.create_token(name, {Scope.READ}, by=SOMEBODY).token_id


def _documents(store: Store) -> list[str]:
    made = (
        store.put_document(
            NewDocument(
                name=f"runbook{n}",
                text="Drain the stale consumer.",
                title="Stale consumers",
                about=parse_runbook("runbook", "Drain it.").about,
                digest=f"{n:064}",
            ),
            SOMEBODY,
            most_bytes=10_000,
        )
        for n in range(4)
    )
    return [str(document.document_id) for _, document in made if document]


def _rejects(store: Store) -> list[int]:
    bad = [
        Reject(index=n, reason="labels.a: Not a string.", raw=f'{{"labels": {{"a": {n}}}}}')
        for n in range(4)
    ]
    store.create_incident(group(rejects=tuple(bad)))
    for body in ("{{", "[1", '"'):
        store.keep_unreadable(Reject(index=0, reason="not JSON", raw=body), "default")
    return [reject.reject_id for reject in store.list_rejects()]


def test_no_request_finds_an_answer_that_the_description_does_not_give(run):
    """No check of Schemathesis fails on any answer."""
    assert not run.failures, "\n\n".join(run.failures.values())


def test_every_operation_accepts_something(run):
    """The run has got past the refusals: each operation answered 2xx at least once."""
    assert run.statuses
    assert not run.never_accepted()


def test_every_check_and_phase_has_run(run):
    """Nothing is left out: all checks that there are, on answers of all phases."""
    assert run.checks == {*fuzzing.all_checks(), "max_response_time"}
    assert run.phases >= {"coverage", "fuzzing", "stateful"}


def test_every_route_is_described(app):
    """No operation escapes the checks by being left out of the description."""
    answer = app.test_client().get("/api/openapi.json", headers={"X-API-Key": TOKEN})
    described = answer.json["paths"]
    routes = {
        (re.sub(r"<(?:[^<>]*:)?([^<>]*)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/v1/", "/api/v2/"))
    }
    assert routes == {
        (path, method)
        for path, methods in described.items()
        for method in methods
        if method != "parameters"
    }
