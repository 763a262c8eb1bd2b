"""What people said of causes before, in a diagnosis."""

from math import e

import pytest
from unit.diagnose.evidence_factory import alert, diagnosed, errors, rollout

from opssage.priors import CauseCount, Priors

SEEN = (alert("ErrorsHigh", namespace="shop", service="web"), errors("web"), rollout("web"))


def judged(component="service/web", cause="deploy_regression", **times) -> Priors:
    """Return what people said of one cause."""
    count = CauseCount(namespace="shop", component=component, cause=cause, **times)
    return Priors(version=1, counts=(count,))


def odds(report) -> float:
    """Return the odds of the first cause."""
    best = next(each for each in report.hypotheses if each.cause == "deploy_regression")
    return best.probability / (1 - best.probability)


@pytest.mark.parametrize(("times", "factor"), [({"confirmed": 2}, 2), ({"rejected": 99}, 1 / e)])
def test_judgements_move_the_odds(times, factor):
    """By as much as is documented, and the reasoning says so."""
    alone, told = diagnosed(*SEEN), diagnosed(*SEEN, priors=judged(**times))

    assert odds(told) == pytest.approx(odds(alone) * factor, rel=0.01)
    assert any("people said of deploy_regression at web" in each for each in told.reasoning_steps)


@pytest.mark.parametrize(
    "priors",
    [
        judged(component="service/cart", confirmed=9),
        judged(cause="disk_full", confirmed=9),
        judged(confirmed=4, rejected=4),
    ],
)
def test_judgements_of_something_else_move_nothing(priors):
    """Neither another component nor another cause, nor as many against as for."""
    assert diagnosed(*SEEN, priors=priors) == diagnosed(*SEEN)


def test_judgements_claim_nothing_without_evidence():
    """What is often the cause has still to be seen."""
    calm = alert("ErrorsHigh", namespace="shop", service="web")

    report = diagnosed(calm, priors=judged(cause="out_of_memory", confirmed=99))

    assert report.hypotheses == diagnosed(calm).hypotheses


def test_a_report_names_cause_and_owner():
    """The owner as the topology file tells it, of the root component."""
    report = diagnosed(*SEEN, owners={"web": "team-a", "cart": "team-b"})

    assert (report.cause, report.owner) == ("deploy_regression", "team-a")
