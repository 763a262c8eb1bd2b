"""Where a page ends, as an opaque word in a URL."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from opssage.incident import Incident
from opssage.wire import format_time, parse_time
from store import Position


def write(last: Incident) -> str:
    """Return the cursor behind the last incident of a page."""
    text = f"{format_time(last.created_at)} {last.incident_id}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read(cursor: str) -> Position:
    """Return the position a cursor stands for. Raises ValueError for any other text."""
    created_at, incident_id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split()
    return parse_time(created_at), UUID(incident_id)
