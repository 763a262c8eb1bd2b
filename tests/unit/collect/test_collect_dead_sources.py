"""One source that is dead, and all of them: the rest of the evidence is there, and the reasons."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import httpx2
import pytest
from unit.collect import kubernetes_stand_ins as cluster
from unit.collect.stand_ins import ONSET, FakeLoki, FakePrometheus, make_alert, step_at

from opssage.diagnosis import Verdict
from opssage.evidence import PrimaryContext, SourceStatus
from opssage.incident import Incident, Status
from opssage.knowledge import EnhancedContext
from opssage.settings import load
from tasks.collect import build_sources, collect
from tasks.collect.registry import Connection
from tasks.diagnose import diagnose

NAMES = ("prometheus", "kubernetes", "loki", "alertmanager")
ALERT = make_alert(
    {"alertname": "HighErrorRate", "severity": "critical", "namespace": "shop", "service": "web"},
    firing_condition="errors > 1",
)
WEB = {"namespace": "shop", "app": "web", "pod": "web-1"}
ANSWERED = {SourceStatus.OK, SourceStatus.EMPTY}

Handler = Callable[[httpx2.Request], httpx2.Response]


def alive() -> dict[str, Handler]:
    """Sources that each have something to tell."""
    prometheus, loki, kubernetes = FakePrometheus(), FakeLoki(), cluster.FakeKubernetes()
    prometheus.on("errors", ({"namespace": "shop", "pod": "web-1"}, step_at(ONSET, 0, 9)))
    loki.on(WEB, (ONSET, "ERROR cannot connect"))
    kubernetes.has(cluster.pod("web-1", cluster.waiting("CrashLoopBackOff"), ready=False))
    other = {"alertname": "B", "namespace": "shop", "service": "web", "severity": "warning"}
    times = dict.fromkeys(("startsAt", "updatedAt"), cluster.at(ONSET))
    state = {"state": "active", "silencedBy": [], "inhibitedBy": []}
    fired = {"labels": other, "annotations": {}, "status": state, "fingerprint": "b" * 16, **times}
    fired["endsAt"] = cluster.at(ONSET + timedelta(hours=1))
    return {
        "prometheus": prometheus.transport.handle_request,
        "loki": loki.transport.handle_request,
        "kubernetes": kubernetes.transport.handle_request,
        "alertmanager": lambda request: httpx2.Response(
            200, json=[fired] if request.url.path.endswith("alerts") else []
        ),
    }


def refused(_: httpx2.Request) -> httpx2.Response:
    """Nobody listens."""
    raise httpx2.ConnectError("connection refused")


def silent(_: httpx2.Request) -> httpx2.Response:
    """Somebody listens, and says nothing."""
    raise httpx2.ReadTimeout("")


def answer(status: int, text: str = "", **headers: str) -> Handler:
    """Whatever was asked, this is said."""
    return lambda _: httpx2.Response(status, text=text, headers=headers)


DEATHS = {
    "refused": refused,
    "silent": silent,
    "broken": answer(500, "oops"),
    "forbidden": answer(403, "no"),
    "redirect": answer(302, Location="http://elsewhere/"),
    "garbage": answer(200, "<html>"),
    "empty": answer(200),
    "other": answer(200, '{"items": {"a": 1}, "data": 7, "status": "success"}'),
    "null": answer(200, '{"items": null, "data": null, "status": "success"}'),
}


def collected(answers: dict[str, Handler]) -> PrimaryContext:
    """Look into one incident with sources that answer so."""

    def connect(name: str) -> Connection:
        transport = httpx2.MockTransport(answers[name])
        return Connection(url="http://there", client=httpx2.Client(transport=transport))

    settings = load(environ={})
    incident = Incident(
        incident_id=None,
        status=Status.PENDING,
        created_at=ONSET,
        updated_at=ONSET,
        alert_name="HighErrorRate",
        severity="critical",
    )
    sources = build_sources(settings, connect)
    now = ONSET + timedelta(minutes=30)
    return collect(incident, [ALERT], sources, settings.collect, now)


@cache
def whole() -> PrimaryContext:
    """What is seen when all answer."""
    return collected(alive())


def told(context: PrimaryContext, *without: str) -> list[tuple[str, str, str]]:
    """What was seen, by all sources but some."""
    return [
        (item.source, item.kind, item.summary)
        for item in context.evidence_collected
        if item.source not in without
    ]


def test_each_source_has_something_to_tell():
    """Else the tests below would show nothing."""
    assert {source for source, _, _ in told(whole())} >= set(NAMES)


@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("name", NAMES)
def test_a_dead_source_costs_its_own_evidence_only(name, death):
    """The others tell what they tell anyway, and the ledger has why this one does not."""
    context = collected({**alive(), name: DEATHS[death]})

    assert told(context) == told(whole(), name)
    lines = [line for line in context.sources if line.source == name]
    assert all(line.error for line in lines if line.status not in ANSWERED)
    if death != "null":  # an empty list to some, and a strange answer to others
        assert not {line.status for line in lines} & ANSWERED


@pytest.mark.parametrize("death", [death for death in DEATHS if death != "null"])
def test_with_all_sources_dead_the_incident_has_a_report(death):
    """It claims nothing, and says why and what to run by hand."""
    context = collected(dict.fromkeys(NAMES, DEATHS[death]))

    report = diagnose(context, EnhancedContext(), load(environ={}).diagnose)

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    missing = [line for line in context.sources if line.status not in ANSWERED]
    assert {line.source for line in missing} == set(NAMES)
    assert all(line.by_hand for line in missing)
    for name in NAMES:
        assert f"{name} answered 0 of" in report.root_cause
        assert any(check.startswith(f"Ask {name} by hand: ") for check in report.next_checks)
