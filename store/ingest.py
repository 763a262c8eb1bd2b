"""One webhook, one transaction: alerts find their incident, or open one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Integer, bindparam, select

from opssage.incident import AlertGroup, Status, lead_alert
from store import archive, filing, known, rejects
from store.placing import Placed, place_all
from store.rules import Rules
from store.tables import RUNNING, incidents


@dataclass(frozen=True, kw_only=True, slots=True)
class Touched:
    """An incident that a request opened or belongs to."""

    incident_id: UUID
    status: Status
    severity: str
    opened: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of a request's alerts."""

    incidents: tuple[Touched, ...] = ()
    accepted: int = 0  #: alerts that were new or told something new
    duplicates: int = 0  #: alerts that were known as they are
    refused: int = 0  #: alerts not stored: the backlog is too long for them to open an incident


def record(connection: Connection, group: AlertGroup, rules: Rules) -> Receipt:
    """Store a request's alerts under their incidents, all or nothing.

    Unless the backlog is full: then what would open an incident is left out, and counted.
    """
    if group.rejects:
        rejects.write(connection, group)
    if not group.alerts:
        return Receipt()
    known.lock(connection, group)
    before = known.look_up(connection, group)
    placed = _not_archived(connection, group.sender, place_all(group, before))
    refused = 0
    if any(each.opens for each in placed) and _is_full(connection, rules.ingest.backlog_max):
        refused = sum(each.opens for each in placed)
        placed = [each for each in placed if not each.opens]
    if placed:
        filing.write(connection, group, before, placed, rules)
    return _receipt(group, placed, refused)


def record_reject(
    connection: Connection, reject_id: int, group: AlertGroup, rules: Rules
) -> Receipt | None:
    """Store what was made of a reject and mark it; None when it is not there to be taken.

    It stays to be taken when the backlog is full.
    """
    if not rejects.hold(connection, reject_id):
        return None
    receipt = record(connection, group, rules)
    if not receipt.refused:
        taken_as = receipt.incidents[0].incident_id if receipt.incidents else None
        rejects.settle(connection, reject_id, taken_as)
    return receipt


def _is_full(connection: Connection, backlog_max: int) -> bool:
    return connection.scalar(_BEYOND, {"bound": backlog_max - 1}) is not None


_BEYOND = (
    select(incidents.c.incident_id)
    .where(incidents.c.status.in_(RUNNING))
    .offset(bindparam("bound", type_=Integer))
    .limit(1)
)


def _not_archived(
    connection: Connection, sender: str, placed: Sequence[Placed]
) -> Sequence[Placed]:
    """Count the ends that the archive knows there; returns what is left to write.

    Asked only for an end that no live row knows, so that no other request pays for the archive.
    """
    strays = {(each.alert.fingerprint, each.starts_at) for each in placed if each.is_stray}
    if not strays:
        return placed
    archived = archive.deliver(connection, sender, strays)
    return [each for each in placed if (each.alert.fingerprint, each.starts_at) not in archived]


def _receipt(group: AlertGroup, placed: Sequence[Placed], refused: int) -> Receipt:
    touched = {each.target.incident_id: each.target for each in placed if each.target}
    news = sum(each.is_news for each in placed)
    return Receipt(
        incidents=tuple(
            Touched(
                incident_id=target.incident_id,
                status=target.status,
                severity=target.severity or lead_alert(target.joining).severity,
                opened=target.is_new,
            )
            for target in touched.values()
        ),
        accepted=news,
        duplicates=len(group.alerts) - news - refused,
        refused=refused,
    )
