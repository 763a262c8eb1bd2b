"""What holds after every step, whatever the steps were."""

from collections import defaultdict
from collections.abc import Callable

from integration.machine.ledger import Ledger
from integration.machine.world import RULES, Snapshot

from opssage.incident import AlertStatus, Stage, Status
from store import rows
from store.links import MOST_REVISIONS
from store.tables import RUNNING

_UNSEEN = {"version", "updated_at"}
_VISIBLE = [column.name for column in rows.WHOLE if column.name not in _UNSEEN]


def alerts_are_kept(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """What was acknowledged has a row, and an incident or the reason why it opened none."""
    for told, key in ledger.kept.items():
        row = now.find_alert(key)
        assert row is not None, f"{told} was acknowledged and is lost"
        assert (row.disposition is None) == (row.incident_id is not None)
        assert row.disposition or now.find_incident(row.incident_id)


def incidents_are_those_known(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """None vanishes, none appears, and of a deleted one no row is left."""
    assert now.incidents.keys() == ledger.entries.keys()
    assert now.archive.keys() == ledger.archived.keys()
    assert not now.owners & ledger.gone


def documents_and_status_agree(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """The row says what was committed, and its status which document is missing."""
    for incident_id, entry in (ledger.entries | ledger.archived).items():
        row = now.find_incident(incident_id)
        found = {stage.document: getattr(row, stage.document) for stage in Stage}
        assert {name: value for name, value in found.items() if value} == entry.documents
        assert (row.status, row.revision) == (entry.status, entry.revision)


def work_is_counted(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """A stage is committed once; an attempt counts from its claim on."""
    for incident_id, entry in ledger.entries.items():
        row = now.incidents[incident_id]
        assert row.attempts == entry.attempts >= 0
        assert now.events[incident_id, Status.COMPLETED] == entry.completions <= row.revision


def numbers_only_rise(_ledger: Ledger, before: Snapshot, now: Snapshot) -> None:
    """The fence never falls; readers who know the version know what they would see."""
    for incident_id in before.incidents.keys() & now.incidents.keys():
        was, row = before.incidents[incident_id], now.incidents[incident_id]
        assert row.epoch >= was.epoch
        assert row.version >= was.version
        assert row.flap_count >= was.flap_count
        assert row.truncated_alerts >= was.truncated_alerts
        assert row.alert_seq >= max(was.alert_seq, row.urgent_seq)
        assert row.urgent_seq >= was.urgent_seq
        if any(getattr(was, name) != getattr(row, name) for name in _VISIBLE):
            assert row.version > was.version


def what_rests_is_free(_ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """A terminal incident has no lease; it is due only for what nobody has looked at.

    That is alerts that joined it, and links that others made; and not once it flaps.
    """
    for row in now.incidents.values():
        if row.status in RUNNING:
            continue
        assert row.lease_until is None
        joined = row.alert_seq > (row.primary_context or {"alert_seq": 0})["alert_seq"]
        unseen = joined or (row.link_seq > row.links_seen and row.revision < MOST_REVISIONS)
        if row.status == Status.COMPLETED and row.last_error is None:
            assert (row.next_attempt_at is not None) == (unseen and not row.flapping)
        else:
            assert row.next_attempt_at is None or (unseen and not row.flapping)


def what_runs_is_not_stuck(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """Somebody works on it, or there is a time from which a dispatcher finds it."""
    for entry in ledger.unfinished:
        row = now.incidents[entry.incident_id]
        assert row.next_attempt_at is not None
        assert (row.lease_until is not None) == (entry.holder is not None)
        assert (row.enqueued_at is not None) == entry.is_stamped


def it_is_over_when_no_alert_fires(_ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """`resolved_at` is the last end of its alerts, and is there exactly when all have ended."""
    ends = defaultdict(list)
    for row in now.alerts.values():
        assert (row.status == AlertStatus.FIRING) == (row.ends_at is None)
        assert (row.closed_at is None) == (row.ends_at is None) == (row.end_reason is None)
        ends[row.incident_id].append(row.ends_at)
    for incident_id, row in now.incidents.items():
        mine = ends[incident_id]
        assert row.resolved_at == (None if None in mine else max(mine))
        assert (row.closed_at is None) == (row.resolved_at is None)


def an_alert_fires_once(_ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """Whatever its start: of a sender and a fingerprint one row fires at most."""
    firing = [key[:2] for key, row in now.alerts.items() if row.status == AlertStatus.FIRING]
    assert len(set(firing)) == len(firing)


def what_flaps_is_marked(_ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """Once, when it has been reopened that often."""
    for incident_id, row in now.incidents.items():
        assert row.flapping == (row.flap_count >= RULES.ingest.flap_max)
        assert now.events[incident_id, "flapping"] == row.flapping


def the_team_is_told_once(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """Each ending and each return of a revision owes every target one notification."""
    owed = {
        (incident_id, revision, event, "team"): 1
        for incident_id, entry in ledger.entries.items()
        for revision, event in entry.told
    }
    assert now.effects == owed


def a_pair_is_linked_once(ledger: Ledger, _before: Snapshot, now: Snapshot) -> None:
    """Both ends tell of it; with one of them the link is gone."""
    assert now.links == {ends for ends in ledger.linked if not ledger.gone.intersection(ends)}
    for incident_id in now.incidents.keys() | now.archive.keys():
        told = now.events[incident_id, "linked"]
        assert told == sum(incident_id in ends for ends in ledger.linked)


PROMISES: tuple[Callable[[Ledger, Snapshot, Snapshot], None], ...] = (
    alerts_are_kept,
    incidents_are_those_known,
    documents_and_status_agree,
    work_is_counted,
    numbers_only_rise,
    what_rests_is_free,
    what_runs_is_not_stuck,
    it_is_over_when_no_alert_fires,
    an_alert_fires_once,
    what_flaps_is_marked,
    the_team_is_told_once,
    a_pair_is_linked_once,
)
