"""What people do is written down together with it, on SQLite and on PostgreSQL alike."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from factories import alert, group
from sqlalchemy import event
from steps import completed, opened

from opssage.access import Actor, Scope
from opssage.incident import AlertGroup, Reject
from opssage.settings import IngestSettings
from store import AuditFilter, Rules, Store, connect, engine

ME = Actor(name="ann", request_id="r-1")


def rejected(store: Store) -> int:
    """Reject an alert and return its id."""
    reject = Reject(index=0, reason="odd", raw="{}")
    store.create_incident(
        AlertGroup(alerts=(), rejects=(reject,), receiver="opssage", group_key="{}:{}")
    )
    return store.list_rejects(limit=1)[0].reject_id


def diagnosed(store: Store) -> UUID:
    """Return an incident that rests."""
    incident_id = opened(store)
    completed(store, incident_id)
    return incident_id


def token(store: Store) -> str:
    """Return the id of a token."""
    return store.create_token("a", [Scope.READ], by=Actor(name="root")).token_id


DEEDS: dict[str, tuple[Callable[[Store], object], Callable[[Store, object, Actor], object]]] = {
    "retry": (diagnosed, lambda store, it, by: store.restart_incident(it, by=by)),
    "delete": (opened, lambda store, it, by: store.delete_incident(it, by=by)),
    "reject.ingest": (rejected, lambda store, it, by: store.take_reject(it, group(), by=by)),
    "reject.delete": (rejected, lambda store, it, by: store.delete_reject(it, by=by)),
    "token.revoke": (token, lambda store, it, by: store.revoke_token(it, by)),
    "login": (
        token,
        lambda store, it, by: store.open_session(
            "a", [Scope.READ], by=by, expires_seconds=60, parent_id=it
        ),
    ),
}
"""What people do, and to what."""


@pytest.mark.parametrize("action", DEEDS)
def test_a_deed_is_written_down(store, action):
    """With who did it, to what, and in which request."""
    prepare, do = DEEDS[action]
    target = prepare(store)

    assert do(store, target, ME)

    (entry,) = store.list_audit(AuditFilter(actor="ann"))
    assert (entry.action, entry.target, entry.request_id) == (action, str(target), "r-1")


@pytest.mark.parametrize("action", DEEDS)
def test_a_deed_that_cannot_be_written_down_is_not_done(store, database, action):
    """They are one transaction."""
    prepare, do = DEEDS[action]
    target = prepare(store)
    bound = engine.create(database, Path())

    @event.listens_for(bound, "before_cursor_execute")
    def _die(_connection, _cursor, statement, *_):
        if statement.startswith("INSERT INTO audit"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do(Store(bound), target, ME)
    bound.dispose()

    assert store.list_audit(AuditFilter(actor="ann")) == []
    assert do(store, target, ME)


def test_what_was_not_done_is_not_written_down(store):
    """Nothing was there, or it could not be done."""
    running = opened(store)

    assert store.restart_incident(running, by=ME) is None
    assert not store.delete_incident(uuid4(), by=ME)
    assert not store.delete_reject(7, by=ME)
    assert store.take_reject(7, group(), by=ME) is None
    assert not store.revoke_token("00000000", ME)

    assert store.list_audit() == []


def test_an_alert_refused_for_the_backlog_is_not_written_down(store, database):
    """Its reject stays to be taken."""
    opened(store)
    reject_id = rejected(store)
    full = connect(database, Path(), Rules(ingest=IngestSettings(backlog_max=1)))

    receipt = full.take_reject(reject_id, group(alert("Other"), key="other"), by=ME)
    full.close()

    assert receipt.refused == 1
    assert store.list_audit() == []


def test_what_the_service_does_is_nobodys_deed(store):
    """The audit is of people."""
    store.delete_incident(opened(store))
    store.restart_incident(diagnosed(store))

    assert store.list_audit() == []


def test_what_was_done_outlives_what_it_was_done_to(store):
    """A deleted incident's deletion is still there."""
    incident_id = opened(store)

    store.delete_incident(incident_id, by=ME)

    (entry,) = store.list_audit(AuditFilter(target=str(incident_id)))
    assert entry.action == "delete"


def test_pages_are_newest_first(store):
    """Each goes on where the one before ended, whatever was done meanwhile."""
    made = [token(store) for _ in range(5)]

    first = store.list_audit(limit=2)
    token(store)
    second = store.list_audit(limit=2, after=first[-1].audit_id)
    third = store.list_audit(limit=2, after=second[-1].audit_id)

    assert [entry.target for entry in (*first, *second, *third)] == made[::-1]


def test_the_detail_of_a_token_made_says_what_it_may(store):
    """The name and the scopes, never the secret."""
    made = store.create_token("a", [Scope.ADMIN, Scope.READ], by=ME, expires_seconds=60)

    (entry,) = store.list_audit()
    assert entry.detail == {"name": "a", "scopes": "read admin", "expires_seconds": 60}
    assert made.text.rpartition("_")[2] not in str(entry)
