"""What a fault may lose, because nobody promised it: counted, and taken out of the record."""

from faults import checker
from faults.alertmanager import Key, Record
from sqlalchemy import select

from opssage.incident import AlertStatus
from store.tables import alerts

_HELD = select(alerts.c.fingerprint, alerts.c.starts_at, alerts.c.status)


def forget(record: Record, url: str, *, acked: set[Key], ended: set[Key]) -> int:
    """Forget those of these alerts, and of these ends of alerts, that the database does not hold.

    Returns how many there are. What else is missing stays in the record, and is lost.
    """
    with checker.reading(url) as connection:
        held = {(row.fingerprint, row.starts_at): row.status for row in connection.execute(_HELD)}
    missing = set(acked) - set(held)
    unended = {key for key in ended if held.get(key) != AlertStatus.RESOLVED}
    record.acked -= missing
    record.ended -= unended
    return len(missing) + len(unended - missing)
