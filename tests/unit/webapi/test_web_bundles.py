"""An incident as a file."""

from uuid import uuid4

import pytest
from factories import REPORT, alert, group
from past import alone, over
from steps import claimed

from opssage.incident import Stage
from opssage.settings import load
from store import NOT_KEPT
from tasks import bundle
from tasks.collect.recording import Recording, pack

SECRET = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def diagnosed(store):
    """Make diagnosed incidents, recorded as told."""

    def make(recording=None):
        fires = alert(token=SECRET)
        (touched,) = store.create_incident(group(fires)).incidents
        heard = Recording(
            alert_name="HighErrorRate",
            alert_seq=1,
            now=fires.starts_at,
            alerts=(fires,),
            settings=load(environ={}),
        )
        kept = pack(heard) if recording is None else recording
        for stage, verb, told in (
            (Stage.COLLECT, store.update_primary_context, ({"alert_seq": 1}, kept)),
            (Stage.ENRICH, store.update_enhanced_context, ({},)),
            (Stage.DIAGNOSE, store.update_diagnostic_report, (REPORT,)),
        ):
            verb(touched.incident_id, claimed(store, touched.incident_id, stage).epoch, *told)
        return touched.incident_id

    return make


def address(incident_id) -> str:
    """Return where a bundle is."""
    return f"/api/v1/incidents/{incident_id}/bundle"


def test_a_bundle_has_the_incident_and_its_recording(client, diagnosed):
    """It is a file with a name, for `opssage replay`."""
    incident_id = diagnosed()

    answer = client.get(address(incident_id))

    read = bundle.read(answer.data)
    assert answer.content_type == "application/gzip"
    assert f"opssage-{incident_id}.json.gz" in answer.headers["Content-Disposition"]
    assert read.incident["incident_id"] == incident_id
    assert read.incident["diagnostic_report"] == REPORT
    assert read.recording.alerts[0].labels["alertname"] == "HighErrorRate"


def test_a_bundle_holds_no_secrets_of_senders(client, diagnosed):
    """What they wrote is kept as it came, and masked in what leaves the house."""
    incident_id = diagnosed()
    whole = client.get(f"/api/v1/incidents/{incident_id}").text

    plain = bundle.gzip.decompress(client.get(address(incident_id)).data).decode()

    assert SECRET in whole
    assert SECRET not in plain


def archived(store, _):
    """An incident of the archive."""
    incident_id = over(store)
    store.archive_incidents(1, 10)
    return incident_id


@pytest.mark.parametrize(
    ("make", "status", "told"),
    [
        (lambda *_: uuid4(), 404, "there is no incident"),
        (lambda store, _: alone(store, "A"), 409, "has no diagnosis at present"),
        (lambda store, _: over(store), 409, "nothing was recorded"),
        (lambda _, diagnosed: diagnosed(NOT_KEPT), 409, "could not be kept"),
        (archived, 409, "dropped when it was archived at"),
    ],
    ids=["unknown", "running", "unrecorded", "not kept", "archived"],
)
def test_an_incident_without_a_bundle_says_why(client, store, diagnosed, make, status, told):
    """There is nobody to guess."""
    answer = client.get(address(make(store, diagnosed)))

    assert answer.status_code == status
    assert told in answer.json["detail"]
