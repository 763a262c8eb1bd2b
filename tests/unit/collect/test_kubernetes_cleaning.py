"""What of Kubernetes' documents is never kept."""

import pytest

from opssage.redaction import mask
from tasks.collect.kubernetes import clean_objects


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("key", ["data", "binaryData", "stringData"])
def test_content_goes_also_when_it_comes_unasked(kind, key):
    """A server that knows no metadata-only answers gives all of it."""
    document = {"kind": f"{kind}List", "items": [{"kind": kind, key: {"mode": "plain-words"}}]}

    assert "plain-words" not in str(clean_objects(document))


def test_data_of_a_controller_revision_stays():
    """It is the template of a revision."""
    document = {"kind": "ControllerRevision", "data": {"spec": {"template": {}}}}

    assert clean_objects(document) == document


def test_values_of_the_environment_are_masked_alike():
    """Whether two were the same can still be told."""
    one, same, other = (
        clean_objects({"env": [{"name": "MODE", "value": value}]})["env"][0]["value"]
        for value in ("blue", "blue", "green")
    )

    assert one == same != other
    assert one.startswith("[redacted:")


def test_annotations_that_nobody_reads_become_masks():
    """Several tools keep a second copy of the object there, secrets and all."""
    copy = '{"env": [{"name": "X", "value": "hunterhunter"}]}'
    annotations = {"kapp.k14s.io/original": copy, "kubernetes.io/change-cause": "v2"}

    cleaned = clean_objects({"annotations": annotations})["annotations"]

    assert cleaned == {
        "kapp.k14s.io/original": mask(copy),
        "kubernetes.io/change-cause": "v2",
    }


def test_headers_of_probes_become_masks():
    """A probe that has to log in has its password there."""
    headers = [{"name": "X-Auth", "value": "hunterhunter"}]

    assert clean_objects({"httpHeaders": headers}) == {
        "httpHeaders": [{"name": "X-Auth", "value": mask("hunterhunter")}]
    }


def test_who_edited_when_stays_without_the_fields():
    """Which are half of the document."""
    entry = {"manager": "kubectl", "time": "2026-11-23T03:00:00Z"}

    cleaned = clean_objects({"managedFields": [{**entry, "fieldsV1": {"f:metadata": {}}}]})

    assert cleaned == {"managedFields": [entry]}


@pytest.mark.parametrize("key", ["env", "annotations", "managedFields", "images"])
def test_forms_nobody_expects_are_let_through_or_dropped(key):
    """A custom resource may call anything so."""
    assert clean_objects({key: "text"}) in ({key: "text"}, {key: []})


def test_what_is_clean_stays_as_it_is():
    """A recording is cleaned again when it is replayed."""
    once = clean_objects(
        {
            "env": [{"name": "MODE", "value": "blue"}],
            "managedFields": [{"manager": "kubectl", "fieldsV1": {}}],
            "args": ["--password", "hunter2"],
        }
    )

    assert clean_objects(once) == once
    assert "hunter2" not in str(once)
