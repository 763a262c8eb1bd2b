import pytest
from unit.diagnose.evidence_factory import alert, diagnosed, edge, errors, log, metric, pod, service

from opssage.diagnosis import Diagnosis, Hypothesis

CHAIN = {"front": ("middle",), "middle": ("back",)}


def hypothesis(report: Diagnosis, component: str) -> Hypothesis:
    return next(each for each in report.hypotheses if each.component == component)


def test_deepest_failing_service_is_preferred():
    """Along a chain of failing services the one that calls no failing one is the root."""
    report = diagnosed(
        alert("A", service="front"),
        *(errors(name) for name in ("front", "middle", "back")),
        *(
            metric("edge_error_ratio", edge(*pair), 0, 0.4)
            for pair in (("front", "middle"), ("middle", "back"))
        ),
    )

    assert report.root_cause_component == "service/back"
    assert report.propagation == ("service/back", "service/middle", "service/front")


def test_topology_from_enrich_is_enough_to_follow_calls():
    """Known calls lead to the callee even where no edge was measured."""
    logs = [log(name, "java.lang.IllegalStateException") for name in ("front", "middle", "back")]
    evidence = [
        alert("A", service="front"),
        *(errors(name) for name in ("front", "middle", "back")),
    ]

    report = diagnosed(*evidence, *logs, calls=CHAIN)

    assert report.root_cause_component == "service/back"
    assert "which fails itself" in hypothesis(report, "service/front").refutes[0].statement


def test_topology_with_namespaces_leads_to_the_same_components():
    """Enrich says the namespace where two services have one name; our own goes without."""
    logs = [log(name, "java.lang.IllegalStateException") for name in ("front", "back")]
    known = {"front": ("shop/back",), "other": ("bank/back",)}

    report = diagnosed(
        alert("A", service="front"), errors("front"), errors("back"), *logs, calls=known
    )

    assert report.root_cause_component == "service/back"
    assert report.propagation == ("service/back", "service/front")


def test_failing_namesake_elsewhere_is_not_taken_for_ours():
    """Another namespace's service of the same name is a component of its own."""
    elsewhere = {"namespace": "bank", "service": "back"}
    evidence = [
        metric("error_ratio", {**service("back"), **elsewhere}, 0, 0.9),
        metric("error_ratio", service("back"), 0, 0, onset=None),
        log("front", "panic: boom"),
        errors("front"),
    ]
    known = {"front": ("shop/back",), "other": ("bank/back",)}

    report = diagnosed(alert("A", service="front"), *evidence, calls=known)

    assert report.root_cause_component == "service/front"
    assert "service/back" not in report.propagation


def test_label_of_an_alert_makes_an_edge():
    """An alert that names what it depends on tells who calls whom."""
    evidence = [
        errors("front"),
        errors("back"),
        *(log(name, "panic: boom") for name in ("front", "back")),
    ]

    report = diagnosed(alert("A", service="front", dependency="back"), *evidence)

    assert report.root_cause_component == "service/back"


def test_earlier_failure_is_preferred_without_known_calls():
    """Where nobody knows who calls whom, the one that failed first is the likelier root."""
    late, early = (
        [errors(name, onset=onset), log(name, "panic: boom", first=onset)]
        for name, onset in (("late", 200), ("early", 0))
    )

    report = diagnosed(alert("A", namespace="shop", service="other"), *late, *early)

    assert (
        hypothesis(report, "service/early").probability
        > hypothesis(report, "service/late").probability
    )


def test_node_is_preferred_to_each_of_its_pods():
    """A busy node with many slow pods on it is one fault, not many."""
    pods = [pod(name, "node-7") for name in ("a", "b", "c")]

    report = diagnosed(
        *(alert("CPUThrottlingHigh", **each) for each in pods),
        metric("node_cpu", {"node": "node-7"}, 0.4, 0.99),
        *(metric("cpu_throttling", each, 0.01, 0.6, onset=15) for each in pods),
    )

    assert report.root_cause_component == "node/node-7"
    assert report.propagation == ("node/node-7", "service/a", "service/b", "service/c")


def test_fault_that_explains_none_of_the_alerts_is_less_probable():
    """A broken service that the alerting one does not depend on counts less."""
    broken = [errors("island"), log("island", "panic: boom")]
    known = {"front": ("back",), "sea": ("island",)}

    apart = diagnosed(alert("A", service="front"), *broken, calls=known)
    joined = diagnosed(alert("A", service="front"), *broken, calls={"front": ("island",)})

    assert (
        hypothesis(apart, "service/island").probability
        < hypothesis(joined, "service/island").probability
    )


def test_each_alert_elsewhere_that_is_explained_is_cited():
    """Of several alerts each one is shown by its own evidence."""
    names = ("front", "side")
    evidence = [alert("A", service=name) for name in names]

    report = diagnosed(
        *evidence, errors("back"), log("back", "panic: boom"), calls=dict.fromkeys(names, ("back",))
    )

    explained = [each for each in report.supporting_evidence if "explains" in each.statement]
    assert [(each.evidence_id, each.statement) for each in explained] == [
        ("E1", "explains that alert A is firing for front"),
        ("E2", "explains that alert A is firing for side"),
    ]


def test_suffering_callers_speak_for_the_service_they_call():
    """A fault that its callers feel is more probable than one that nobody else notices."""
    failing = [alert("A", service="back"), errors("back"), log("back", "panic: boom")]
    calls = {"front": ("back",)}

    alone, felt = (
        hypothesis(diagnosed(*evidence, calls=calls), "service/back")
        for evidence in (failing, [*failing, errors("front", onset=30)])
    )

    assert felt.probability > alone.probability
    assert any("its caller front suffers" in each.statement for each in felt.supports)


def test_victim_behind_a_service_that_shows_nothing_is_reached():
    """The way from root to victim may lead over a service that was not measured."""
    report = diagnosed(
        alert("A", service="front"),
        errors("front", onset=30),
        errors("back"),
        log("back", "x509: certificate has expired"),
        calls=CHAIN,
    )

    assert report.propagation == ("service/back", "service/front")


def test_circle_of_calls_is_survived():
    """Services that call each other do not send the search round for ever."""
    circle = {"front": ("back",), "back": ("front",)}

    report = diagnosed(alert("A", service="front"), errors("front"), errors("back"), calls=circle)

    assert report.hypotheses


def test_surge_of_requests_is_not_blamed_on_the_services_beneath():
    """A surge harms what the service calls too, so slow callees do not speak against it."""
    report = diagnosed(
        alert("A", service="front"),
        metric("request_rate", service("front"), 50, 600),
        *(metric("latency_p99", service(name), 0.1, 1.5, onset=15) for name in ("front", "back")),
        calls={"front": ("back",)},
    )

    assert (report.category, report.root_cause_component) == ("load", "service/front")


@pytest.mark.parametrize("text", ["dependency refused: connect ECONNREFUSED ledger:8080"])
def test_component_nobody_measures_can_be_the_root(text):
    """What callers say of a service is enough to suspect it, though it has no telemetry."""
    report = diagnosed(alert("A", service="front"), errors("front"), log("front", text))

    assert report.root_cause_component == "service/ledger"
