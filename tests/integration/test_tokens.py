"""Tokens and sessions as they are kept, on SQLite and on PostgreSQL alike."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from opssage.access import Actor, Scope
from opssage.errors import StoreUnavailableError
from store import engine, split_token, tables
from store.columns import database_now

ME = Actor(name="ann", request_id="r-1")


@pytest.fixture
def bound(database):
    """An engine of the test's own."""
    made = engine.create(database, Path())
    yield made
    made.dispose()


def test_a_token_is_kept_without_its_secret(store, bound):
    """Whoever reads the database, or a backup of it, learns no token."""
    made = store.create_token("alertmanager", [Scope.INGEST], by=ME)

    token_id, secret = split_token(made.text)
    with bound.connect() as connection:
        (row,) = connection.execute(select(tables.api_tokens)).all()
    assert token_id == made.token_id == row.token_id
    assert secret not in str(row)
    assert secret not in repr(made)
    assert row.secret_hash not in repr(made)
    assert store.find_token(token_id).proves(secret)
    assert not store.find_token(token_id).proves(secret[:-1] + "x")


def test_a_token_is_found_as_it_was_made(store):
    """Scopes, owner and times come back."""
    made = store.create_token("ann", [Scope.WRITE, Scope.INGEST], by=ME, expires_seconds=3600)

    found = store.find_token(made.token_id)

    assert found == made.kept
    assert (found.name, found.created_by) == ("ann", "ann")
    assert found.scopes == {Scope.INGEST, Scope.WRITE}
    assert found.expires_at - found.created_at == pytest.approx(
        timedelta(hours=1), abs=timedelta(seconds=1)
    )
    assert (found.last_used_at, found.revoked_at, found.parent_id) == (None, None, None)
    assert store.find_token("00000000") is None


def test_tokens_are_listed_newest_first(store):
    """Revoked ones stay; nobody has to guess what an old log line was about."""
    first = store.create_token("a", [Scope.READ], by=ME)
    second = store.create_token("a", [Scope.READ], by=ME)
    store.revoke_token(first.token_id, ME)

    listed = {kept.token_id: kept.revoked_at for kept in store.list_tokens()}

    assert set(listed) == {first.token_id, second.token_id}
    assert listed[second.token_id] is None
    assert abs(datetime.now(UTC) - listed[first.token_id]) < timedelta(minutes=5)


def test_of_many_who_revoke_a_token_one_does(store):
    """It is written down once."""
    made = store.create_token("a", [Scope.READ], by=ME)

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: store.revoke_token(made.token_id, ME), range(8)))

    assert sorted(told) == [False] * 7 + [True]
    assert [entry.action for entry in store.list_audit()] == ["token.revoke", "token.create"]


def session_of(store, parent_id: str, seconds: float = 60):
    """Open a session of a token."""
    return store.open_session(
        "ann", [Scope.READ], by=ME, expires_seconds=seconds, parent_id=parent_id
    )


def test_revoking_a_token_removes_its_sessions(store):
    """And nobody else's; a session itself is ended by logging out only."""
    mine, other = (store.create_token(name, [Scope.READ], by=ME) for name in "ab")
    ended, going_on = session_of(store, mine.token_id), session_of(store, other.token_id)

    assert not store.revoke_token(going_on.token_id, ME)
    store.revoke_token(mine.token_id, ME)

    assert store.find_token(ended.token_id) is None
    assert store.find_token(going_on.token_id) is not None


def test_sessions_are_not_listed(store):
    """They are nobody's to hand on."""
    parent = store.create_token("a", [Scope.READ], by=ME)

    session = session_of(store, parent.token_id)

    assert [kept.token_id for kept in store.list_tokens()] == [parent.token_id]
    assert store.find_token(session.token_id).parent_id == parent.token_id


def test_logging_out_removes_the_session(store):
    """The token that opened it stays, even if it is what somebody names."""
    parent = store.create_token("a", [Scope.READ], by=ME)
    session = session_of(store, parent.token_id)

    for token_id in (session.token_id, parent.token_id):
        store.end_session(token_id)

    assert store.find_token(session.token_id) is None
    assert store.find_token(parent.token_id) is not None


def test_sessions_that_are_over_go_at_the_next_login(store, bound):
    """Nobody has to clean up; tokens that are over stay."""
    parent = store.create_token("a", [Scope.READ], by=ME, expires_seconds=60)
    old = session_of(store, parent.token_id)
    with bound.begin() as connection:
        connection.execute(update(tables.api_tokens).values(expires_at=database_now(-1)))

    session_of(store, parent.token_id)

    assert store.find_token(old.token_id) is None
    assert store.find_token(parent.token_id) is not None


def test_a_use_is_noted_once_a_minute(store, bound):
    """However many processes note it."""
    token_id = store.create_token("a", [Scope.READ], by=ME).token_id
    store.touch_token(token_id)
    first = store.find_token(token_id).last_used_at
    store.touch_token(token_id)
    assert store.find_token(token_id).last_used_at == first

    with bound.begin() as connection:
        connection.execute(update(tables.api_tokens).values(last_used_at=database_now(-61)))
    store.touch_token(token_id)

    assert store.find_token(token_id).last_used_at >= first


def test_only_what_looks_like_a_token_is_split():
    """Everything else costs no query."""
    # 8 characters of 36, and 32 bytes as hexadecimal digits
    assert split_token("ops_abcd0123_" + "0f" * 32) == ("abcd0123", "0f" * 32)
    for text in ("ops_ABCD0123_" + "0f" * 32, "ops_abcd0123_" + "0f" * 31, "ops_abcd0123"):
        assert split_token(text) is None


def test_noting_a_use_waits_for_no_other_writer(store, bound):
    """It is not worth a request's time: what cannot be written at once is left out."""
    if bound.dialect.name == "postgresql":
        pytest.skip("rows are locked one by one there")
    made = store.create_token("a", [Scope.READ], by=ME)
    writing = bound.execution_options(**{engine.BEGIN_OPTION: "IMMEDIATE"})
    begins: list[str] = []
    event.listen(store._engine, "before_cursor_execute", lambda *told: begins.append(told[2]))

    with writing.begin(), pytest.raises(StoreUnavailableError):
        store.touch_token(made.token_id)

    assert begins == ["PRAGMA busy_timeout=0", "BEGIN IMMEDIATE", "PRAGMA busy_timeout=4000"]
    store.touch_token(made.token_id)
    assert store.find_token(made.token_id).last_used_at


def test_sessions_of_a_token_are_bounded(store, bound):
    """The oldest give way, so that logging in again and again fills no disk."""
    parent = store.create_token("a", [Scope.READ], by=ME)

    opened = [
        store.open_session(
            "a", [Scope.READ], by=ME, expires_seconds=60, parent_id=parent.token_id
        ).token_id
        for _ in range(101)
    ]

    assert store.find_token(opened[0]) is None
    assert all(map(store.find_token, opened[1:]))
