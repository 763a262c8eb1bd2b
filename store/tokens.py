"""Tokens and sessions: what proves who calls. Of a secret only its hash is kept.

A token reads `ops_<id>_<secret>`. The id finds its row; the secret is 32 random bytes, so one round
of SHA-256 is enough to keep it: there is nothing to guess, unlike with passwords.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from opssage.access import Actor, Scope
from store import audit
from store.columns import age_seconds, database_now
from store.tables import api_tokens

MOST_LISTED = 1000
"""The newest that a list shows: more than anybody has in use."""

_ID_CHARS = 8
_SECRET_BYTES = 32
_ALPHABET = string.ascii_lowercase + string.digits
_TEXT = re.compile(rf"ops_([a-z0-9]{{{_ID_CHARS}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})", re.ASCII)
_TOUCHED_SECONDS = 60.0
_MOST_SESSIONS = 100  # of one token


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptToken:
    """A token as it is kept; with a `parent_id` it is a session, which that token opened."""

    token_id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    parent_id: str | None
    secret_hash: str = field(repr=False)

    def proves(self, secret: str) -> bool:
        """Tell whether this is the secret; takes as long for a wrong one as for the right one."""
        return hmac.compare_digest(_hash(secret), self.secret_hash)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewToken:
    """A token just made. Its `text` is not kept: this is the one time that it is known."""

    kept: KeptToken
    text: str = field(repr=False)

    @property
    def token_id(self) -> str:
        """The part that is no secret."""
        return self.kept.token_id


def split(text: str) -> tuple[str, str] | None:
    """Return the id and the secret of a token's text, or None when it is no such text."""
    found = _TEXT.fullmatch(text)
    return (found[1], found[2]) if found else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create(
    connection: Connection,
    name: str,
    scopes: Iterable[Scope],
    by: Actor,
    expires_seconds: float | None,
) -> NewToken:
    """Make a token and write down who did."""
    made = _make(connection, name, scopes, by.name, expires_seconds, parent_id=None)
    told = {"name": name, "scopes": _words(scopes), "expires_seconds": expires_seconds}
    audit.note(connection, by, "token.create", made.token_id, told)
    return made


def create_first(connection: Connection, by: Actor) -> tuple[NewToken, ...]:
    """Make one token for people and one for Alertmanager, unless there is or was any token."""
    if connection.dialect.name == "postgresql":  # SQLite's BEGIN IMMEDIATE has done as much
        connection.execute(_ONE_AT_A_TIME)
    if connection.execute(_ANY).first() is not None:
        return ()
    return tuple(create(connection, name, (scope,), by, None) for name, scope in _FIRST)


def open_session(
    connection: Connection,
    name: str,
    scopes: Iterable[Scope],
    by: Actor,
    expires_seconds: float,
    parent_id: str,
) -> NewToken:
    """Make a session of a token and write down who logged in; the oldest beyond a number go."""
    connection.execute(_FORGET)
    connection.execute(_END_OLDEST, {"wanted": parent_id})
    made = _make(connection, name, scopes, by.name, expires_seconds, parent_id)
    audit.note(connection, by, "login", parent_id)
    return made


def _make(
    connection: Connection,
    name: str,
    scopes: Iterable[Scope],
    created_by: str,
    expires_seconds: float | None,
    parent_id: str | None,
) -> NewToken:
    token_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID_CHARS))
    secret = secrets.token_hex(_SECRET_BYTES)
    row = connection.execute(
        _INSERT.values(expires_at=expires_seconds and database_now(expires_seconds)),
        {
            "token_id": token_id,
            "name": name,
            "scopes": _words(scopes),
            "secret_hash": _hash(secret),
            "parent_id": parent_id,
            "created_by": created_by,
        },
    ).one()
    return NewToken(kept=_kept(row), text=f"ops_{token_id}_{secret}")


def find(connection: Connection, token_id: str) -> KeptToken | None:
    """Return a token or session, whatever its state, or None."""
    row = connection.execute(_FIND, {"wanted": token_id}).first()
    return _kept(row) if row else None


def every(connection: Connection) -> list[KeptToken]:
    """Return the newest tokens, revoked ones too; sessions are not among them."""
    return [_kept(row) for row in connection.execute(_LIST)]


def revoke(connection: Connection, token_id: str, by: Actor) -> bool:
    """End a token and the sessions it opened; False when there is none that is not revoked."""
    revoked = connection.execute(_REVOKE, {"wanted": token_id}).first()
    if revoked is None:
        return False
    connection.execute(_END_CHILDREN, {"wanted": token_id})
    audit.note(connection, by, "token.revoke", token_id, {"name": revoked.name})
    return True


def touch(connection: Connection, token_id: str) -> None:
    """Note that a token is in use, at most once a minute."""
    connection.execute(_TOUCH, {"wanted": token_id})


def end_session(connection: Connection, token_id: str) -> None:
    """Delete a session; a token stays."""
    connection.execute(_END, {"wanted": token_id})


def _words(scopes: Iterable[Scope]) -> str:
    held = frozenset(scopes)
    return " ".join(scope for scope in Scope if scope in held)


def _kept(row: Row[*tuple[Any, ...]]) -> KeptToken:
    values: Mapping[str, Any] = row._asdict()
    return KeptToken(**{**values, "scopes": frozenset(map(Scope, row.scopes.split()))})


_FIRST = (("admin", Scope.ADMIN), ("alertmanager", Scope.INGEST))
_ONE_AT_A_TIME = text("LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE")
_ANY = select(api_tokens.c.token_id).limit(1)
_is_wanted = api_tokens.c.token_id == bindparam("wanted")
_is_session = api_tokens.c.parent_id.is_not(None)
_INSERT = insert(api_tokens).values(created_at=database_now()).returning(*api_tokens.c)
_FIND = select(api_tokens).where(_is_wanted)
_LIST = (
    select(api_tokens)
    .where(~_is_session)
    .order_by(api_tokens.c.created_at.desc(), api_tokens.c.token_id)
    .limit(bindparam("most", MOST_LISTED, type_=Integer))
)
_REVOKE = (
    update(api_tokens)
    .where(_is_wanted, ~_is_session, api_tokens.c.revoked_at.is_(None))
    .values(revoked_at=database_now())
    .returning(api_tokens.c.name)
)
_END_CHILDREN = delete(api_tokens).where(api_tokens.c.parent_id == bindparam("wanted"))
_TOUCH = (
    update(api_tokens)
    .where(
        _is_wanted,
        or_(
            api_tokens.c.last_used_at.is_(None),
            age_seconds(api_tokens.c.last_used_at) >= _TOUCHED_SECONDS,
        ),
    )
    .values(last_used_at=database_now())
)
_END = delete(api_tokens).where(_is_wanted, _is_session)
_END_OLDEST = delete(api_tokens).where(
    api_tokens.c.token_id.in_(
        select(api_tokens.c.token_id)
        .where(api_tokens.c.parent_id == bindparam("wanted"))
        .order_by(api_tokens.c.created_at.desc(), api_tokens.c.token_id)
        .offset(_MOST_SESSIONS - 1)
    )
)
_FORGET = delete(api_tokens).where(_is_session, api_tokens.c.expires_at < database_now())
