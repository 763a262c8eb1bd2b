"""Where alerts point."""

from unit.collect.stand_ins import make_alert

from tasks.collect.targets import targets_of


def test_targets_are_listed_once_in_order_of_the_alerts():
    """A group of alerts of one service makes one target."""
    first = make_alert({"namespace": "shop", "service": "web"})
    second = make_alert({"namespace": "shop", "service": "cart", "pod": "cart-1"})

    targets = targets_of([first, second, first])

    assert targets.namespaces == ("shop",)
    assert targets.services == (("shop", "web"), ("shop", "cart"))
    assert targets.pods == (("shop", "cart-1"),)


def test_targets_of_an_alert_without_places_are_nowhere():
    """Seventeen of the kube-prometheus rules carry no label but severity."""
    targets = targets_of([make_alert({"alertname": "KubeCPUOvercommit", "severity": "warning"})])

    assert targets.is_nowhere


def test_targets_keep_job_and_instance_of_vague_alerts_only():
    """They matter when nothing better is named."""
    vague = make_alert({"job": "api", "instance": "10.0.0.1:8080"})
    exact = make_alert({"job": "web", "instance": "10.0.0.2:8080", "namespace": "shop"})

    targets = targets_of([vague, exact])

    assert targets.jobs == ("api",)
    assert targets.instances == ("10.0.0.1:8080",)


def test_targets_of_a_storm_are_bounded():
    """A thousand pods do not make a query of a thousand names."""
    storm = [make_alert({"namespace": "shop", "pod": f"web-{n}"}) for n in range(1000)]

    assert len(targets_of(storm).pods) == 50


def test_targets_are_completed_by_the_matchers_of_the_expression():
    """An aggregation takes labels away that the expression itself names."""
    alert = make_alert(
        {"alertname": "A", "service": "web"},
        firing_condition='sum by (service) (rate(errors{namespace="shop"}[5m])) > 1',
    )

    assert targets_of([alert]).services == (("shop", "web"),)


def test_targets_of_an_expression_that_says_two_things_are_open():
    """Which of the two namespaces it is nobody knows."""
    alert = make_alert({}, firing_condition='a{namespace="x",job="j"} > on () b{namespace="y"}')

    targets = targets_of([alert])

    assert (targets.namespaces, targets.jobs) == ((), ("j",))
