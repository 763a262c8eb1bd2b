"""Rollouts and edits as changes with their time before onset."""

from datetime import timedelta

from unit.collect.kubernetes_stand_ins import (
    LONG_AGO,
    ONSET,
    WEB,
    FakeKubernetes,
    ask,
    at,
    deployment,
    pod,
    replica_set,
    template,
    thing,
)

from opssage.evidence import EvidenceKind

BEFORE = ONSET - timedelta(minutes=10)


def changed(*things, alert=WEB):
    found = ask(FakeKubernetes().has(*things), alert).evidence
    return [item for item in found if item.kind is EvidenceKind.CHANGE]


def test_new_replica_set_is_a_rollout_from_one_image_to_another():
    """What differs is named, and by whom the Deployment was edited."""
    edits = [{"manager": "kubectl-set", "time": at(BEFORE), "operation": "Update"}]
    edited = deployment()
    edited["metadata"]["managedFields"] = edits

    (item,) = changed(
        edited,
        replica_set("web-a", 1, "web:1", LONG_AGO),
        replica_set("web-b", 2, "web:2", BEFORE),
    )

    assert (item.data["change"], item.data["from"], item.data["to"]) == (
        "rollout",
        "web:1",
        "web:2",
    )
    assert (item.data["seconds_before_onset"], item.data["by"]) == (600.0, "kubectl-set")
    assert item.data["details"]["changed"] == ["app: image"]
    assert item.subject == {"namespace": "shop", "workload": "web"}


def test_rollout_of_a_clock_that_is_ahead_is_one_of_now_and_marked():
    """The controller's clock need not be ours."""
    ahead = ONSET + timedelta(hours=1, seconds=20)

    (item,) = changed(deployment(), replica_set("web-a", 1, "web:1", ahead))

    assert item.data["at"] == "2026-11-23T04:00:00.000000Z"
    assert (item.data["seconds_before_onset"], item.data["clock_ahead_seconds"]) == (-3600.0, 20.0)


def test_rollout_of_the_same_image_names_what_else_changed():
    """The names of variables, not their values."""
    first = replica_set("web-a", 1, "web:1", LONG_AGO, env=[{"name": "DB", "value": "blue-db"}])
    second = replica_set("web-b", 2, "web:1", BEFORE, env=[{"name": "DB", "value": "green-db"}])

    (item,) = changed(deployment(), first, second)

    assert item.data["details"]["changed"] == ["app: env DB"]
    assert "the same images" in item.summary
    assert "green-db" not in str(item)


def test_rollback_is_dated_by_the_deployment():
    """It takes up a ReplicaSet that is old."""
    progress = {"type": "Progressing", "status": "True", "lastUpdateTime": at(BEFORE)}

    found = changed(
        deployment("web", progress),
        replica_set("web-a", 3, "web:1", LONG_AGO - timedelta(days=1)),
        replica_set("web-b", 2, "web:2", LONG_AGO),
    )

    (item,) = found
    assert (item.data["details"]["rollback"], item.data["from"]) == (True, "web:2")
    assert item.data["seconds_before_onset"] == 600.0


def test_first_revision_is_a_change_from_nothing():
    """A workload that was made just before is new."""
    (item,) = changed(deployment(), replica_set("web-a", 1, "web:1", BEFORE))

    assert (item.data["from"], item.data["to"]) == ("", "web:1")


def test_old_history_is_no_change():
    """Before the baseline everything was as it is."""
    history = [replica_set(f"web-{n}", n, f"web:{n}", LONG_AGO) for n in range(1, 4)]

    assert changed(deployment(), *history) == []


def test_controller_revisions_tell_of_stateful_sets():
    """Their history is kept elsewhere."""
    revisions = [
        thing(
            "ControllerRevision",
            f"db-{n}",
            owner=("StatefulSet", "db"),
            created=made,
            revision=n,
            data={"spec": {"template": template(f"db:{n}")}},
        )
        for n, made in ((1, LONG_AGO), (2, BEFORE))
    ]

    (item,) = changed(*revisions)

    assert (item.data["from"], item.data["to"]) == ("db:1", "db:2")
    assert item.data["details"]["object"]["kind"] == "StatefulSet"


def test_edit_of_a_config_map_is_a_change():
    """Its content is not known, only when it was edited and by what."""
    spec = {"containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}
    edited = thing("ConfigMap", "settings", data={"mode": "fast-and-loose"})
    edited["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "time": at(BEFORE)}]

    (item,) = changed(deployment(), pod(spec=spec, owner=("Deployment", "web")), edited)

    assert (item.data["change"], item.data["by"]) == ("config", "kubectl-edit")
    assert item.data["seconds_before_onset"] == 600.0
    assert item.subject == {"namespace": "shop", "workload": "web"}
    assert "fast-and-loose" not in str(item)
