"""What to run by hand for a source that was asked nothing."""

from dataclasses import replace

import pytest
from unit.collect.stand_ins import make_alert, make_scope

from opssage.evidence import SourceReport, SourceStatus
from tasks.collect.first_look import first_look

RESTING = SourceReport(source="loki", status=SourceStatus.FAILED, error="not asked: it failed")
WEB = {"alertname": "HighErrorRate", "namespace": "shop", "service": "web"}


def look(source, labels=None, **changes):
    """The command for a source that rests."""
    alert = make_alert(WEB if labels is None else labels, **changes)
    return first_look(replace(RESTING, source=source), make_scope(alert))


def test_prometheus_is_asked_what_the_alert_asks():
    """At the end of the window, quoted for a shell."""
    command = look("prometheus", firing_condition='up{job="a b"} == 0')

    assert "--data-urlencode 'query=up{job=\"a b\"} == 0'" in command
    assert command.startswith('curl -s "$PROMETHEUS_URL/api/v1/query" ')


def test_prometheus_is_asked_for_the_alert_when_nobody_knows_what_it_asks():
    """Its name is escaped."""
    assert """'query=ALERTS{alertname="a\\"b"}'""" in look("prometheus", {"alertname": 'a"b'})


@pytest.mark.parametrize(
    ("labels", "command"),
    [
        (WEB, "kubectl get pods,events -n shop"),
        ({"alertname": "A"}, "kubectl get pods,events -A"),
        ({"alertname": "A", "node": "n1"}, "kubectl describe node n1"),
        ({"alertname": "A", "node": "-fhttp://evil/x.yaml"}, "kubectl get pods,events -A"),
        ({**WEB, "node": "--server=https://evil"}, "kubectl get pods,events -n shop"),
        ({"alertname": "A", "namespace": "--all"}, "kubectl get pods,events -A"),
        (
            {**WEB, "node": "n1"},
            "kubectl describe node n1 && kubectl get pods,events -n shop",
        ),
    ],
)
def test_kubernetes_is_looked_at_where_the_alert_points(labels, command):
    """A node is described; of a namespace pods and events are listed. Options are no names."""
    assert look("kubernetes", labels) == command


def test_loki_is_asked_by_the_most_usual_labels():
    """Nobody knows which it has."""
    assert look("loki").endswith("""'{namespace="shop",app="web"}'""")
    assert look("loki", {"alertname": "A"}).startswith("logcli labels --from=")


def test_alertmanager_is_asked_what_fires():
    """Wherever it is."""
    assert look("alertmanager").startswith("amtool ")


@pytest.mark.parametrize(
    "changes",
    [
        {"query": "labels"},
        {"by_hand": "logcli labels"},
        {"status": SourceStatus.EMPTY},
        {"source": "changes"},
    ],
)
def test_what_was_asked_or_answered_needs_no_first_look(changes):
    """Its own line says more."""
    assert first_look(replace(RESTING, **changes), make_scope(make_alert())) == ""
