"""One webhook, one transaction: alerts find their incident, or open one."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Integer, bindparam, select

from opssage.incident import AlertGroup, Change, Status, lead_alert
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
    change: Change

    @property
    def opened(self) -> bool:
        """Whether the request opened it."""
        return self.change is Change.OPENED


@dataclass(frozen=True, kw_only=True, slots=True)
class Receipt:
    """What became of a request's alerts."""

    incidents: tuple[Touched, ...] = ()
    accepted: int = 0  #: alerts that were new or told something new
    duplicates: int = 0  #: alerts that were known as they are
    ignored: int = 0  #: alerts that are kept, and ask for nothing
    refused: int = 0  #: alerts not stored: the backlog is too long for them to open an incident


def record(connection: Connection, groups: Sequence[AlertGroup], rules: Rules) -> Receipt:
    """Store a request's alerts under their incidents, all or nothing; all are of one sender.

    Unless the backlog is full: then what would open an incident is left out, and counted.
    """
    for group in groups:
        if group.rejects:
            rejects.write(connection, group)
    if not any(group.alerts for group in groups):
        return Receipt()
    known.lock(connection, groups)
    before = known.look_up(connection, groups, rules.ingest)
    placed = _not_archived(connection, groups[0].sender, place_all(groups, before, rules.ingest))
    refused = 0
    if any(each.opens for each in placed) and _is_full(connection, rules.ingest.backlog_max):
        refused = sum(each.opens for each in placed)
        placed = [each for each in placed if not each.opens]
    if placed:
        filing.write(connection, groups, placed, rules)
    return _receipt(groups, placed, refused)


def record_reject(
    connection: Connection, reject_id: int, group: AlertGroup, rules: Rules
) -> Receipt | None:
    """Store what was made of a reject and mark it; None when it is not there to be taken.

    It stays to be taken when the backlog is full.
    """
    if not rejects.hold(connection, reject_id):
        return None
    receipt = record(connection, [group], rules)
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
    strays = {_key(each) for each in placed if each.is_stray}
    if not strays:
        return placed
    archived = archive.deliver(connection, sender, strays)
    return [each for each in placed if _key(each) not in archived]


def _key(placed: Placed) -> archive.AlertKey:
    return placed.row.fingerprint, placed.row.starts_at


def _receipt(groups: Sequence[AlertGroup], placed: Sequence[Placed], refused: int) -> Receipt:
    touched = {each.target.incident_id: each.target for each in placed if each.target}
    for each in placed:
        if each.target and each.is_news:
            each.target.has_news = True
    ignored = sum(each.is_ignored for each in placed)
    news = sum(each.is_news and not each.is_ignored for each in placed)
    delivered = sum(len(group.alerts) for group in groups)
    return Receipt(
        incidents=tuple(
            Touched(
                incident_id=target.incident_id,
                status=target.status,
                severity=target.severity or lead_alert(target.joining).severity,
                change=target.change,
            )
            for target in touched.values()
        ),
        accepted=news,
        duplicates=delivered - news - ignored - refused,
        ignored=ignored,
        refused=refused,
    )
