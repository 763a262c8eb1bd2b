"""Rollouts that two sources tell of."""

from datetime import timedelta

from unit.collect.stand_ins import ONSET

from opssage.evidence import Evidence, EvidenceKind
from tasks.collect.rollouts import told_once


def rollout(source, workload="web", seconds=0):
    """A rollout as one source saw it."""
    return Evidence(
        kind=EvidenceKind.CHANGE,
        source=source,
        summary=source,
        observed_at=ONSET + timedelta(seconds=seconds),
        subject={"namespace": "shop", "workload": workload},
        data={"change": "rollout"},
    )


def test_rollout_that_kubernetes_knows_is_told_once():
    """By the one that knows the images."""
    metrics, cluster = rollout("prometheus"), rollout("kubernetes", seconds=4)

    assert told_once([metrics, cluster]) == [cluster]


def test_other_rollouts_stay():
    """Of another workload, or of another time."""
    cluster = rollout("kubernetes")
    other, earlier = rollout("prometheus", "cart"), rollout("prometheus", seconds=-600)

    assert told_once([other, earlier, cluster]) == [other, earlier, cluster]
