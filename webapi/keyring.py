"""Whose token is this? The configured one, and those of the store as they were a moment ago."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import NamedTuple

from opssage.access import ANYBODY, Caller
from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from store import KeptToken, Store, split_token

log = get_logger(__name__)

REMEMBERED_SECONDS = 10.0
"""For so long another process goes on taking a token that was revoked."""

_MOST = 1024
_Memory = OrderedDict[str, tuple[float, KeptToken | None]]
_TOUCH_SECONDS = 60.0


class Fault(NamedTuple):
    """Why a token does not open, and whose it is; the name is for those who have its secret."""

    reason: str
    name: str | None = None


UNKNOWN = Fault("is not known here")


class Keyring:
    """Looks tokens up, and remembers what it found, or that there is nothing, for ten seconds.

    So neither alerts nor one wrong token that is sent again and again cost a query each; wrong
    tokens of many ids do, and displace no right one. Safe to share between threads.
    """

    def __init__(
        self,
        store: Store,
        configured: str | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take the store and `auth.token`."""
        self._store = store
        self._configured = configured.encode() if configured else None
        self.configured_id = _id_of(self._configured) if self._configured else None
        self._clock = clock
        self._lock = Lock()
        self._known: _Memory = OrderedDict()
        self._missing: _Memory = OrderedDict()
        self._forgotten = 0

    def holder(self, text: str, *, by_cookie: bool = False) -> Caller | Fault:
        """Return whose token this is, or of a session, which counts by cookie only, whose it has.

        Raises StoreUnavailableError: while nobody can tell, a token is neither right nor wrong.
        """
        if not by_cookie and self._is_configured(text):
            return replace(ANYBODY, token_id=self.configured_id)
        parts = split_token(text)
        kept = self._find(parts[0]) if parts else None
        if parts is None or kept is None or not kept.proves(parts[1]):
            return UNKNOWN
        if by_cookie != (kept.parent_id is not None):
            return UNKNOWN
        if not self._is_in_force(kept):
            return Fault("was revoked", kept.name)
        if _is_over(kept):
            return Fault("has expired", kept.name)
        self._touch(kept)
        own_id = kept.parent_id or kept.token_id
        return Caller(name=kept.name, scopes=kept.scopes, token_id=own_id)

    def expiry(self, caller: Caller) -> datetime | None:
        """Return when the caller's token ends, if it does."""
        if caller.token_id in {None, self.configured_id}:
            return None
        kept = self._find(caller.token_id)
        return kept.expires_at if kept else None

    def forget(self) -> None:
        """Look everything up anew: something was revoked."""
        with self._lock:
            self._known.clear()
            self._missing.clear()
            self._forgotten += 1

    def _is_configured(self, text: str) -> bool:
        if self._configured is None:
            return False
        return hmac.compare_digest(text.encode(errors="replace"), self._configured)

    def _is_in_force(self, kept: KeptToken) -> bool:
        """Tell whether neither the token nor the one that opened it as a session was revoked."""
        if kept.revoked_at is not None:
            return False
        if kept.parent_id is None or kept.parent_id == self.configured_id:
            return True
        parent = self._find(kept.parent_id)
        return parent is not None and parent.revoked_at is None

    def _find(self, token_id: str) -> KeptToken | None:
        now = self._clock()
        with self._lock:
            for memory in (self._known, self._missing):
                until, kept = memory.get(token_id, (0.0, None))
                if until > now:
                    memory.move_to_end(token_id)
                    return kept
            forgotten = self._forgotten
        found = self._store.find_token(token_id)
        with self._lock:
            if forgotten == self._forgotten:  # else it may be from before a revocation
                memory = self._known if found else self._missing
                memory[token_id] = now + REMEMBERED_SECONDS, found
                memory.move_to_end(token_id)
                while len(memory) > _MOST:
                    memory.popitem(last=False)
        return found

    def _touch(self, kept: KeptToken) -> None:
        """Note the use of a token, once a minute, and only if that is no trouble."""
        now = datetime.now(UTC)
        used_at = kept.last_used_at
        if used_at and (now - used_at).total_seconds() < _TOUCH_SECONDS:
            return
        with self._lock:  # whether or not it can be written: not at the next request again
            until, known = self._known.get(kept.token_id, (0.0, None))
            if known:  # and not `kept`: it may have been revoked since that was looked up
                self._known[kept.token_id] = until, replace(known, last_used_at=now)
        try:
            self._store.touch_token(kept.token_id)
        except StoreUnavailableError as error:
            log.info("token_use_not_noted", caller=kept.name, error=str(error))


def _id_of(configured: bytes) -> str:
    """Return what sessions of the configured token name it by: with it changed, they end."""
    return hashlib.sha256(configured).hexdigest()[:16]


def _is_over(kept: KeptToken) -> bool:
    return kept.expires_at is not None and kept.expires_at <= datetime.now(UTC)
