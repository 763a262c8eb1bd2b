"""The enrich stage as a whole."""

from pathlib import Path

import pytest

from opssage.diagnosis import Impression
from opssage.knowledge import EnhancedContext
from opssage.wire import canonical, from_json, to_json
from tasks.enrich import Shelf, load_runbooks
from tasks.enrich import enrich as enrich_context

SHIPPED = load_runbooks(Path(__file__).parents[3] / "runbooks")


NOTHING = Impression()


def enrich(context, runbooks, past, impression=NOTHING, **options):
    """Enrich with some runbooks."""
    shelf = Shelf(version=7, runbooks=tuple(runbooks))
    return enrich_context(context, shelf, past, impression, **options)


@pytest.fixture
def crash_loop(context, evidence):
    """What collect may find for a container that cannot read its configuration."""
    return context(
        "KubePodCrashLooping",
        evidence("metric", signal="waiting_reason", reason="CrashLoopBackOff", after={"max": 1}),
        evidence("log", level="error", template="invalid configuration: DATABASE_URL <*>"),
        evidence("log", level="info", count_before=9, template="certificate has expired x509"),
        evidence(
            "alert",
            labels={"alertname": "KubePodCrashLooping", "service": "checkout"},
            annotations={"summary": "Pod is crash looping."},
        ),
        observations=["restarts rose from 0 to 6"],
        service="checkout",
        namespace="shop",
    )


def test_enrich_finds_runbook_precedents_and_actions(crash_loop, past_incident):
    """Passages, causes, patterns and actions come from what was found."""
    past = [
        past_incident(
            name,
            service="checkout",
            category="configuration",
            root_cause="DATABASE_URL is invalid.",
            actions=("Restore the Secret",),
        )
        for name in ("a", "b")
    ]

    enhanced = enrich(crash_loop, SHIPPED, past)

    found = enhanced.contextual_enrichment
    assert enhanced.retrieved_knowledge[0].source_id == "crash-loop#symptoms"
    assert enhanced.retrieved_knowledge[0].title == "Container crash loop: Symptoms"
    assert found.possible_causes == ("DATABASE_URL is invalid.",)
    assert found.failure_patterns == (
        "configuration: 2 of 2 similar incidents, last on 2026-11-19",
    )
    assert found.known_remediation_actions[0].startswith("Medium risk: correct the setting")
    assert found.known_remediation_actions[-1] == "Restore the Secret"


def test_the_summary_is_made_of_what_was_found(crash_loop, past_incident):
    """One sentence for runbooks and one for history."""
    past = [past_incident("a", root_cause="DATABASE_URL is invalid.")]

    assert enrich(crash_loop, SHIPPED, past, max_passages=1).knowledge_summary == (
        "Runbook “Container crash loop” fits best. "
        "1 similar past incident, the closest from 2026-11-19: DATABASE_URL is invalid."
    )


def test_enrich_says_that_nothing_fits(context):
    """Without knowledge the documents are empty and the summary says so."""
    enhanced = enrich(context("Watchdog"), (), ())

    assert enhanced == EnhancedContext(
        knowledge_version=7,
        knowledge_summary="No runbook passage and no similar past incident fit this alert.",
    )


def test_a_routine_log_line_is_no_symptom(crash_loop):
    """An info line that was there before onset does not steer the search."""
    titles = [each.title for each in enrich(crash_loop, SHIPPED, ()).retrieved_knowledge]

    assert not any("certificate" in title for title in titles)


def test_a_long_passage_is_cut_at_a_word(context, runbook):
    """An excerpt is short enough to be read."""
    book = runbook("long", "reindex the search cluster " * 100, alertnames="[Slow]")

    (passage,) = enrich(context("Slow"), [book], ()).retrieved_knowledge

    assert passage.excerpt.endswith(("reindex …", "the …", "search …", "cluster …"))
    assert len(passage.excerpt) <= 602


def test_the_exporter_that_measured_is_no_symptom(context, evidence, past_incident):
    """Alerts of kube-state-metrics about two services have no service in common."""
    exporter = "kube-prometheus-stack-kube-state-metrics"
    labels = {"alertname": "KubePodNotReady", "job": "kube-state-metrics", "service": exporter}
    alert = evidence("alert", labels={**labels, "pod": "checkout-7d9f8b6c5d-x2x1z"})
    past = [
        past_incident("a", alert_name="KubePodNotReady", service=exporter),
        past_incident("b", alert_name="KubePodNotReady", service="checkout"),
    ]

    enhanced = enrich(context("KubePodNotReady", alert), (), past)

    shares = {
        each.incident_id: each.shares for each in enhanced.contextual_enrichment.related_incidents
    }
    assert shares == {
        "a": ("alert KubePodNotReady",),
        "b": ("alert KubePodNotReady", "service checkout"),
    }


def test_the_enhanced_context_survives_json(crash_loop, past_incident):
    """What is stored can be read back whole."""
    enhanced = enrich(crash_loop, SHIPPED, [past_incident("a", service="checkout")])

    assert from_json(to_json(enhanced), EnhancedContext) == enhanced


def test_stored_evidence_gives_the_same_answer(crash_loop):
    """A context read back from the store is enriched to the same bytes."""
    again = from_json(to_json(crash_loop), type(crash_loop))

    assert canonical(to_json(enrich(again, SHIPPED, ()))) == canonical(
        to_json(enrich(crash_loop, SHIPPED, ()))
    )


def test_what_else_fires_is_not_searched_for(context, evidence):
    """Another alert may be another trouble, with runbooks and precedents of its own."""

    def enriched(**more):
        labels = {"alertname": "KubePodCrashLooping", "service": "checkout"}
        told = evidence("alert", labels=labels, annotations={"summary": "It loops."}, **more)
        return enrich(context("Other", told), SHIPPED, [], max_passages=3)

    assert enriched().retrieved_knowledge
    assert not enriched(relation="same_namespace").retrieved_knowledge
