"""Bodies that a door could not read, kept as rejects for a person to look at."""

from collections.abc import Callable
from threading import Lock

from opssage.incident import Reject
from opssage.log import get_logger
from opssage.redaction import redact_text
from store import Store
from webapi.body import UnreadableError

log = get_logger(__name__)

_KEPT_BYTES = 4096

Keep = Callable[[bytes, UnreadableError, str], None]
"""Takes a body, what is wrong with it, and its sender."""


def keeper(store: Store) -> Keep:
    """Return what keeps the beginning of a body that could not be read. It never raises.

    One body at a time: a flood of them, or a database that hangs, holds up one thread at most.
    """
    one_at_a_time = Lock()

    def keep(raw: bytes, error: UnreadableError, sender: str) -> None:
        if not one_at_a_time.acquire(blocking=False):
            return
        try:
            store.keep_unreadable(_reject(raw, error), sender)
        except Exception as fault:  # noqa: BLE001 - the answer is a 400, kept or not
            log.warning("unreadable_body_not_kept", reason=str(error), error=str(fault))
        finally:
            one_at_a_time.release()

    return keep


def _reject(raw: bytes, error: UnreadableError) -> Reject:
    text = raw[:_KEPT_BYTES].decode(errors="replace").replace("\0", "\ufffd")
    return Reject(index=0, reason=str(error), raw=redact_text(text))
