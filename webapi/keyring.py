"""Whose token is this? The configured one, and those of the store as they were a moment ago."""

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from threading import Lock
from time import monotonic

from opssage.access import ANYBODY, Caller
from opssage.errors import StoreUnavailableError
from opssage.log import get_logger
from store import KeptToken, Store, split_token

log = get_logger(__name__)

REMEMBERED_SECONDS = 10.0
"""For so long another process goes on taking a token that was revoked."""

_MOST = 1024
_TOUCH_SECONDS = 60.0


class Fault(StrEnum):
    """What is wrong with a token."""

    UNKNOWN = "is not known here, or was revoked"
    EXPIRED = "has expired"


class Keyring:
    """Looks tokens up, and remembers what it found, or that there is nothing, for ten seconds.

    So neither alerts nor a flood of wrong tokens cost a query each. Safe to share between threads.
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
        self._remembered: OrderedDict[str, tuple[float, KeptToken | None]] = OrderedDict()

    def holder(self, text: str, *, by_cookie: bool = False) -> Caller | Fault:
        """Return whose token this is; a session counts by cookie only, all else not by cookie.

        Raises StoreUnavailableError: while nobody can tell, a token is neither right nor wrong.
        """
        if not by_cookie and self._is_configured(text):
            return ANYBODY
        parts = split_token(text)
        kept = self._find(parts[0]) if parts else None
        if parts is None or kept is None or not kept.proves(parts[1]):
            return Fault.UNKNOWN
        if by_cookie != (kept.parent_id is not None) or not self._is_in_force(kept):
            return Fault.UNKNOWN
        if _is_over(kept):
            return Fault.EXPIRED
        self._touch(kept)
        return Caller(name=kept.name, scopes=kept.scopes, token_id=kept.token_id)

    def expiry(self, caller: Caller) -> datetime | None:
        """Return when the caller's token ends, if it does."""
        kept = self._find(caller.token_id) if caller.token_id else None
        return kept.expires_at if kept else None

    def forget(self) -> None:
        """Look everything up anew: something was revoked."""
        with self._lock:
            self._remembered.clear()

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
            until, kept = self._remembered.get(token_id, (0.0, None))
            if until > now:
                self._remembered.move_to_end(token_id)
                return kept
        found = self._store.find_token(token_id)
        with self._lock:
            self._remembered[token_id] = now + REMEMBERED_SECONDS, found
            self._remembered.move_to_end(token_id)
            while len(self._remembered) > _MOST:
                self._remembered.popitem(last=False)
        return found

    def _touch(self, kept: KeptToken) -> None:
        """Note the use of a token, once a minute, and only if that is no trouble."""
        now = datetime.now(UTC)
        used_at = kept.last_used_at
        if used_at and (now - used_at).total_seconds() < _TOUCH_SECONDS:
            return
        with self._lock:  # whether or not it can be written: not at the next request again
            if kept.token_id in self._remembered:
                until, _ = self._remembered[kept.token_id]
                self._remembered[kept.token_id] = until, replace(kept, last_used_at=now)
        try:
            self._store.touch_token(kept.token_id)
        except StoreUnavailableError as error:
            log.info("token_use_not_noted", caller=kept.name, error=str(error))


def _id_of(configured: bytes) -> str:
    """Return what sessions of the configured token name it by: with it changed, they end."""
    return hashlib.sha256(configured).hexdigest()[:16]


def _is_over(kept: KeptToken) -> bool:
    return kept.expires_at is not None and kept.expires_at <= datetime.now(UTC)
