"""Who calls, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a token allows."""

    INGEST = "ingest"
    """Posting alerts; nothing can be read with it."""
    READ = "read"
    """Reading everything but tokens and the audit."""
    WRITE = "write"
    """What people do to incidents and rejects; reading too."""
    ADMIN = "admin"
    """Tokens and the audit; everything else too."""


_IMPLIED = {
    Scope.INGEST: {Scope.INGEST},
    Scope.READ: {Scope.READ},
    Scope.WRITE: {Scope.WRITE, Scope.READ},
    Scope.ADMIN: set(Scope),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Whoever makes a request."""

    name: str  #: of the token; alerts that come with it have it as their `sender`
    scopes: frozenset[Scope]
    token_id: str | None = None  #: of a session that of its token; None: nobody in particular

    def may(self, scope: Scope) -> bool:
        """Tell whether one of the caller's scopes allows this."""
        return any(scope in _IMPLIED[held] for held in self.scopes)


ANYBODY = Caller(name="default", scopes=frozenset(Scope))
"""The caller in mode `open`, and whoever holds the configured token."""

NOBODY = Caller(name="anonymous", scopes=frozenset())
"""Whoever proves nothing where that is asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who did something that the audit remembers."""

    name: str
    request_id: str = ""
