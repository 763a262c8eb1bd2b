"""Tokens looked up, and remembered for ten seconds."""

from datetime import UTC, datetime, timedelta

import pytest

from opssage.access import ANYBODY, Actor, Scope
from opssage.errors import StoreUnavailableError
from webapi import keyring
from webapi.keyring import UNKNOWN, Fault, Keyring

ME = Actor(name="test")
REVOKED = Fault("was revoked", "somebody")


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A store that counts what it is asked."""

    def __init__(self, store) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name):
        self.asked.append(name)
        return getattr(self._store, name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watched(store) -> Watched:
    return Watched(store)


@pytest.fixture
def ring(watched, clock) -> Keyring:
    return Keyring(watched, "sesame-0123456789", clock)


def unknown(number: int) -> str:
    """Return a token that looks right."""
    return f"ops_{number:08}_{'0' * 64}"


@pytest.mark.parametrize("text", ["", "wrong", "ops_short_00", "ops_00000000_" + "G" * 64])
def test_what_looks_like_no_token_costs_no_query(ring, watched, text):
    """Whoever tries anything at all does not reach the database."""
    assert ring.holder(text) == UNKNOWN
    assert watched.asked == []


def test_the_configured_token_costs_no_query(ring, watched):
    """It works while the database is away."""
    assert ring.holder("sesame-0123456789").scopes == ANYBODY.scopes
    assert watched.asked == []


@pytest.mark.parametrize("known", [True, False])
def test_a_token_is_looked_up_once_in_ten_seconds(ring, watched, clock, make_token, known):
    """Alerts come by the thousand with one token; a wrong one is sent as often."""
    text = make_token("ingest").text if known else unknown(0)
    for _ in range(3):
        ring.holder(text)
    assert watched.asked.count("find_token") == 1

    clock.now = keyring.REMEMBERED_SECONDS

    ring.holder(text)
    assert watched.asked.count("find_token") == 2


def test_wrong_tokens_displace_no_right_one(ring, watched, make_token):
    """Anybody may send any number of them; what is remembered of them is bounded."""
    text = make_token("ingest").text
    ring.holder(text)
    for number in range(2000):
        ring.holder(unknown(number))
    watched.asked.clear()

    ring.holder(text)

    assert watched.asked == []
    assert len(ring._missing) == 1024


def test_a_wrong_secret_is_unknown(ring, make_token):
    """The id is no secret."""
    made = make_token("read")

    assert ring.holder(f"ops_{made.token_id}_{'0' * 64}") == UNKNOWN


def test_a_revoked_token_is_taken_ten_seconds_at_most(ring, clock, store, make_token):
    """By a process that was not told; one that was forgets at once."""
    first, second = make_token("read"), make_token("read")
    for made in (first, second):
        ring.holder(made.text)
        store.revoke_token(made.token_id, ME)
    assert ring.holder(first.text).name == "somebody"

    clock.now = keyring.REMEMBERED_SECONDS
    assert ring.holder(first.text) == REVOKED
    clock.now = 0
    ring.forget()
    assert ring.holder(second.text) == REVOKED


class Interrupted(Watched):
    """A store that something happens to between its answer and whoever asked."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.meanwhile = lambda: None

    def find_token(self, token_id):
        found, meanwhile = self._store.find_token(token_id), self.meanwhile
        self.meanwhile = lambda: None
        meanwhile()
        return found


def test_a_look_up_from_before_a_revocation_is_not_remembered(store, make_token):
    """The process that revokes refuses at once, also what it was asked meanwhile."""
    made, slow = make_token("admin"), Interrupted(store)
    ring = Keyring(slow)

    def revoke():
        store.revoke_token(made.token_id, ME)
        ring.forget()

    slow.meanwhile = revoke
    ring.holder(made.text)

    assert ring.holder(made.text) == REVOKED


def test_noting_a_use_brings_no_revoked_token_back(store, clock, make_token):
    """Another thread may have learnt of the revocation between look-up and note."""
    made = make_token("admin")
    ring = Keyring(store, None, clock)
    before = ring._find(made.token_id)
    store.revoke_token(made.token_id, ME)
    clock.now = keyring.REMEMBERED_SECONDS
    ring.holder(made.text)

    ring._touch(before)

    assert ring.holder(made.text) == REVOKED


def test_its_use_is_noted_once_a_minute(ring, watched, clock, make_token):
    """By whichever process: each sees what the others have noted."""
    text = make_token("read").text
    for now in range(0, 50, 5):
        clock.now = now
        ring.holder(text)

    assert watched.asked.count("touch_token") == 1


def test_a_use_that_cannot_be_noted_is_no_fault(store, clock, make_token):
    """A disk that is full does not lock anybody out, and is not tried at every request."""

    class ReadOnly(Watched):
        def touch_token(self, _):
            self.asked.append("touch_token")
            raise StoreUnavailableError

    full = ReadOnly(store)
    ring = Keyring(full, None, clock)
    text = make_token("read").text

    assert [ring.holder(text).name for _ in range(3)] == ["somebody"] * 3
    assert full.asked.count("touch_token") == 1


@pytest.fixture
def session(store, make_token):
    """A session, and the token that opened it."""
    parent = make_token("write")
    return parent, store.open_session(
        "somebody", [Scope.WRITE], by=ME, expires_seconds=60, parent_id=parent.token_id
    )


def test_a_session_counts_by_cookie_only(ring, session):
    """And a token not by cookie: else a page could have a browser send it."""
    parent, opened = session

    assert ring.holder(opened.text, by_cookie=True).name == "somebody"
    assert ring.holder(opened.text) == UNKNOWN
    assert ring.holder(parent.text, by_cookie=True) == UNKNOWN


def test_a_session_ends_with_its_token(ring, store, session):
    """Revoking one who has logged in locks them out."""
    parent, opened = session
    ring.holder(opened.text, by_cookie=True)

    store.revoke_token(parent.token_id, ME)
    ring.forget()

    assert ring.holder(opened.text, by_cookie=True) == UNKNOWN


def test_a_session_of_the_configured_token_ends_when_that_is_changed(ring, store):
    """It is bound to what was configured, without keeping it."""
    opened = store.open_session(
        "default", [Scope.ADMIN], by=ME, expires_seconds=60, parent_id=ring.configured_id
    )

    assert ring.holder(opened.text, by_cookie=True).name == "default"
    for other in (Keyring(store, "changed"), Keyring(store)):
        assert other.holder(opened.text, by_cookie=True) == Fault("was revoked", "default")


def test_the_end_of_a_token_is_known(ring, make_token):
    """A session must not outlive it."""
    made = make_token("read", seconds=60)

    left = ring.expiry(ring.holder(made.text)) - datetime.now(UTC)

    assert timedelta(seconds=50) < left <= timedelta(seconds=61)
    assert ring.expiry(ANYBODY) is None
