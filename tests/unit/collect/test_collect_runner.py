"""Collect as a whole: all sources at once, one document."""

import shlex
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from unit.collect.stand_ins import ONSET, make_alert

from opssage.evidence import Evidence, EvidenceKind, SourceReport, SourceStatus
from opssage.incident import Incident, Status
from opssage.settings import (
    CollectSettings,
    LokiSettings,
    PrometheusSettings,
    Settings,
    SourcesSettings,
)
from tasks.collect import Answer, Scope, build_sources, collect
from tasks.collect.source import RuleFacts

NOW = ONSET + timedelta(minutes=30)
PATIENT, QUICK = CollectSettings(), CollectSettings(deadline_seconds=0.5)
ALERT = make_alert({"alertname": "A", "severity": "critical", "namespace": "shop"})


@dataclass
class FakeSource:
    """Answers what it was given and remembers what it was asked."""

    name: str = "fake"
    answer: Answer = field(default_factory=Answer)
    scopes: list[Scope] = field(default_factory=list)

    def ask(self, scope, deadline):
        self.scopes.append(scope)
        return self.answer


def evidence(summary="seen", **changes):
    values = {
        "kind": EvidenceKind.EVENT,
        "source": "fake",
        "summary": summary,
        "observed_at": ONSET,
    }
    return Evidence(**{**values, **changes})


def incident():
    return Incident(
        incident_id=UUID(int=1),
        status=Status.PENDING,
        created_at=ONSET,
        updated_at=ONSET,
        alert_name="A",
        severity="critical",
        alert_seq=7,
    )


def run(*sources, alerts=(ALERT,), settings=PATIENT):
    return collect(incident(), alerts, sources, settings, NOW)


def test_evidence_is_numbered_in_the_order_of_the_sources():
    """Not in the order of their answers."""
    slow_may_go = Event()

    @dataclass
    class Slow(FakeSource):
        def ask(self, scope, deadline):
            slow_may_go.wait(5)
            return self.answer

    @dataclass
    class Quick(FakeSource):
        def ask(self, scope, deadline):
            slow_may_go.set()
            return self.answer

    context = run(
        Slow(answer=Answer(evidence=(evidence("one"), evidence("two")))),
        Quick(answer=Answer(evidence=(evidence("three"),))),
    )

    found = [(item.evidence_id, item.summary) for item in context.evidence_collected]
    assert found == [("E1", "one"), ("E2", "two"), ("E3", "three")]


def test_hung_source_costs_a_line_of_the_ledger():
    """The others' evidence is there when the deadline passes."""
    never = Event()

    @dataclass
    class Hung(FakeSource):
        def ask(self, scope, deadline):
            never.wait(60)
            return self.answer

    quick = FakeSource(answer=Answer(evidence=(evidence(),)))
    context = run(Hung(name="hung"), quick, settings=QUICK)
    never.set()

    assert len(list(context.evidence_collected)) == 1
    (report,) = context.sources
    assert (report.source, report.status) == ("hung", SourceStatus.FAILED)
    assert report.error == "no answer before the deadline of 0.5 s"


def test_broken_source_costs_a_line_of_the_ledger():
    """A programming error in one source loses one source."""

    @dataclass
    class Broken(FakeSource):
        def ask(self, scope, deadline):
            raise KeyError("x")

    context = run(Broken(), FakeSource(answer=Answer(evidence=(evidence(),))))

    assert context.sources[0].error == "the source broke: KeyError: 'x'"
    assert len(list(context.evidence_collected)) == 1


def test_questions_are_counted_as_the_ledger_has_them():
    """Each line is one request; only what was asked has a duration."""

    def told(name, **labels):
        return REGISTRY.get_sample_value(name, {"source": "counted", **labels}) or 0.0

    ok = SourceReport(source="counted", status=SourceStatus.OK, duration_seconds=0.25)
    skipped = SourceReport(source="counted", status=SourceStatus.SKIPPED)

    run(FakeSource(answer=Answer(reports=(ok, ok, skipped))))

    assert told("opssage_source_requests_total", outcome="ok") == 2
    assert told("opssage_source_requests_total", outcome="skipped") == 1
    assert told("opssage_source_request_seconds_count") == 2
    assert told("opssage_source_request_seconds_sum") == 0.5


def test_sources_nobody_configured_are_in_the_ledger():
    """A reader sees what could have been asked."""
    sources = build_sources(Settings(folder=Path()))

    context = run(*sources)

    missing = ("prometheus", "kubernetes", "loki", "alertmanager")
    assert [(item.source, item.status) for item in context.sources] == [
        *((name, SourceStatus.NOT_CONFIGURED) for name in missing),
        ("changes", SourceStatus.EMPTY),
    ]
    told = context.preliminary_analysis.missing_information
    assert [line.partition(" ")[0] for line in told] == list(missing)
    assert told[0] == "prometheus was not asked: sources.prometheus.url is not set"
    assert [item.kind for item in context.evidence_collected] == [EvidenceKind.ALERT]


def test_sources_that_are_configured_are_built():
    """In the order their evidence is numbered."""
    settings = SourcesSettings(
        prometheus=PrometheusSettings(url="http://p"), loki=LokiSettings(url="http://l")
    )

    sources = build_sources(Settings(folder=Path(), sources=settings))

    assert [source.name for source in sources] == [
        *("alert", "topology_file", "prometheus", "kubernetes", "loki", "alertmanager", "changes")
    ]


def test_secrets_never_leave_collect():
    """Evidence, queries and errors of the ledger are clean."""
    secret = "postgres://app:hunter22@db/shop"
    item = evidence(secret, query=secret, data={"line": secret, "password": "hunter22"})
    report = SourceReport(source="f", status=SourceStatus.FAILED, query=secret, error=secret)
    alert = make_alert({"alertname": "A"}, firing_condition=f'up{{url="{secret}"}} == 0')

    context = run(FakeSource(answer=Answer(evidence=(item,), reports=(report,))), alerts=(alert,))

    assert "hunter22" not in str(context)


@pytest.mark.parametrize("value", ["pwd='; touch x #", "password=a1' ; touch x ; '"])
@pytest.mark.parametrize("name", ["prometheus", "loki", "kubernetes"])
def test_a_command_of_the_ledger_keeps_its_words(name, value):
    """What is masked in it takes no quotation mark away: a shell would run what it held."""
    rests = SourceReport(source=name, status=SourceStatus.FAILED, error="it rests")
    alert = make_alert({"alertname": value, "namespace": value, "pod": value})

    context = run(FakeSource(answer=Answer(reports=(rests,))), alerts=(alert,))

    commands = [each.by_hand for each in context.sources]
    for command in commands:
        assert not {"touch", ";"} & set(shlex.split(command))
    told = context.preliminary_analysis.missing_information
    assert not [line for line in told if "touch" in line and commands[0] not in line]


def test_rules_that_cannot_be_read_cost_a_line_of_the_ledger():
    """A programming error there loses what is known of the rules, and no more."""

    @dataclass
    class Broken(FakeSource):
        def rule_facts(self, alerts, deadline):
            raise KeyError("x")

    context = run(Broken(answer=Answer(evidence=(evidence(),))))

    assert [each.error for each in context.sources] == ["the source broke: KeyError: 'x'"]
    assert len(list(context.evidence_collected)) == 1


def test_onset_is_asked_of_a_source_that_knows():
    """All sources then look at the same window."""

    @dataclass
    class Knowing(FakeSource):
        def rule_facts(self, alerts, deadline):
            since = {alerts[0].fingerprint: ONSET - timedelta(minutes=15)}
            return RuleFacts(active_since=since)

    knowing, other = Knowing(), FakeSource()

    context = run(knowing, other)

    assert context.window.onset == ONSET - timedelta(minutes=15)
    assert knowing.scopes[0] == other.scopes[0]
    assert other.scopes[0].calm_until == ONSET - timedelta(minutes=20)


def test_expression_of_an_alert_without_one_is_that_of_its_rule():
    """All sources see it, and so does the reader."""

    @dataclass
    class Knowing(FakeSource):
        def rule_facts(self, alerts, deadline):
            report = SourceReport(source="fake", status=SourceStatus.OK, query="/api/v1/rules")
            return RuleFacts(conditions={alerts[0].fingerprint: "up == 0"}, reports=(report,))

    knowing = Knowing()

    context = run(knowing)

    assert context.alert_metadata.firing_condition == "up == 0"
    assert knowing.scopes[0].alerts[0].condition == "up == 0"
    assert context.sources[0].query == "/api/v1/rules"


def test_lead_alert_is_described():
    """Worst severity first, with its expression and where it points."""
    lead = make_alert(
        {"alertname": "Down", "severity": "critical", "deployment": "web"},
        firing_condition="up == 0",
    )
    other = make_alert({"alertname": "Slow", "severity": "warning", "namespace": "shop"})

    context = run(alerts=(other, lead))

    assert context.alert_metadata.alert_name == "Down"
    assert context.alert_metadata.firing_condition == "up == 0"
    assert context.affected_components.service == "web"
    assert context.affected_components.namespace == "shop"
    assert context.alert_seq == 7


def test_place_the_others_do_not_agree_on_stays_open():
    """A guess would send the reader to the wrong pod."""
    alerts = [make_alert({"alertname": f"A{n}", "node": f"n{n}"}) for n in range(2)]

    context = run(alerts=(ALERT, *alerts))

    assert context.affected_components.node is None


def test_incident_without_alerts_is_refused():
    """There is nothing to ask about."""
    with pytest.raises(ValueError, match="without alerts"):
        run(alerts=())


def test_of_too_many_alerts_the_worst_are_looked_at():
    """A storm in one group must not take for ever; what was left out is said."""
    mild = [make_alert({"alertname": "B", "severity": "info", "pod": f"p{n}"}) for n in range(3)]
    bad = make_alert({"alertname": "C", "severity": "error"})
    source = FakeSource()

    context = run(source, alerts=(*mild, bad, ALERT), settings=CollectSettings(max_alerts=2))

    (scope,) = source.scopes
    assert [alert.name for alert in scope.alerts] == ["A", "C"]
    assert "3 further alerts" in context.preliminary_analysis.missing_information[-1]
