"""What would be asked for the alerts of rules, and the page that lists it."""

from pathlib import Path

import pytest

from tasks.collect.coverage import CLUSTER, KINDS, OTHERS, AlertRule, covered
from tasks.collect.plan import ROWS

PAGE = Path(__file__).parents[3] / "docs" / "coverage.md"


def cover(expression, name="A", **labels):
    return covered(AlertRule(name=name, expression=expression, labels=labels))


@pytest.mark.parametrize(
    ("expression", "places"),
    [
        ("kube_pod_container_status_restarts_total > 3", ("namespace", "pod")),
        ("kube_deployment_status_replicas < 1", ("namespace", "service")),
        ('sum by (pod) (container_memory_rss{namespace="shop"}) > 1', ("namespace", "pod")),
        ('node_load1{job="node-exporter"} > 9', ("node",)),
        ("kube_node_spec_unschedulable == 1", ("node",)),
        ("mysql_up == 0", ("instance", "job")),
        ("sum by (job) (rate(errors_total[5m])) > 1", ("job",)),
        ("sum(requests) > 1", (CLUSTER,)),
        ("absent(up{job='kubelet'})", (CLUSTER,)),
    ],
)
def test_places_are_those_an_alert_of_the_rule_can_name(expression, places):
    """Its metrics' labels, as far as the expression leaves them, and what it fixes itself."""
    assert cover(expression).places == places


@pytest.mark.parametrize("expression", ["vector(1)", "up == 0", "sum(a) > sum(b)", "a{"])
def test_rule_has_a_plan_beside_its_own_signals(expression):
    """Of an alert without place the whole cluster is asked; so of one nobody can read."""
    found = cover(expression)

    assert found.has_plan
    assert found.sources["prometheus"].queries <= 40
    assert bool(found.error) == (expression == "a{")


def test_rule_about_a_part_of_the_cluster_has_that_first():
    """Though its alerts name no place."""
    assert cover("sum(etcd_server_has_leader) < 1").signals[0].startswith("etcd_")
    assert cover("vector(1)", name="KubeletDown").signals[0].startswith("kubelet_")


def test_sources_are_those_that_know_such_places():
    """Logs are looked for only where somebody is known to write them."""
    assert "loki" in cover("kube_pod_info > 0").sources
    assert "loki" not in cover("sum(a) > 0").sources
    assert cover("sum(a) > 0").sources["kubernetes"].signals == ("Node", "Pod", "Event")


def rows_of_the_page():
    """The cells of the page's table, lists where there are several words."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    start = next(number for number, line in enumerate(lines) if line.startswith("| alert |"))
    for line in lines[start + 1 :]:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        yield name, *(tuple(filter(None, cell.split(", "))) for cell in cells)


def rule_like(name, places, topics, own):
    """A rule whose alerts name these kinds of place, with so many signals about these topics."""
    of_topics = " + ".join(f"sum({word})" for word in topics if word != name.lower())
    signals = [of_topics] if of_topics else []
    signals += [f"sum(further_{number})" for number in range(int(own) - len(signals))]
    labels = {kind: f"a-{kind}" for kind in places if kind in KINDS}
    expression = " and ".join(f"{signal} > 1" for signal in signals)
    return AlertRule(name=name, expression=expression, labels=labels)


def test_page_says_what_is_asked():
    """`opssage coverage --markdown` writes it anew when the plan has changed."""
    stale = {}
    for name, places, topics, (own,), signals, sources in rows_of_the_page():
        found = covered(rule_like(name, places, topics, own))
        if (found.signals, tuple(found.sources)) != (signals, sources) or not signals:
            stale[name] = found.signals

    assert stale == {}


def test_page_speaks_of_what_there_is():
    """Kinds of place, signals and sources that the code knows."""
    rows = list(rows_of_the_page())

    assert len(rows) > 50
    assert {kind for row in rows for kind in row[1]} <= {*KINDS, CLUSTER}
    known = {row.signal for row in ROWS} | {"rollouts"}
    assert {signal for row in rows for signal in row[4]} <= known
    assert {source for row in rows for source in row[5]} <= {"prometheus", *OTHERS}
