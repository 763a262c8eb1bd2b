"""Links between incidents: whom one may be linked with, and what a new link means to others.

`link_seq` counts how often others made links that concern an incident, `links_seen` how many of
these its context knows. Both are on its own row, so that neither a commit nor a link misses the
other; and as a pair is linked once only, the revisions that follow from links come to an end.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Connection,
    Float,
    Integer,
    Row,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from opssage.incident import Status
from opssage.linking import Footprint, Link, Linking, LinkReason, OpenIncident, Vicinity
from opssage.wire import from_json
from store.columns import database_now
from store.rules import Rules
from store.tables import incident_links, incidents, incidents_archive
from store.timeline import tell_each

MOST_CANDIDATES = 200
"""The newest open incidents of the time, which are compared."""
MOST_LINKS = 1000
"""Of these incidents, which are followed."""
MOST_REVISIONS = 10
"""An incident that was diagnosed so often is not diagnosed again for links alone."""

_ONE_END, _OTHER_END = incident_links.c.lower_id, incident_links.c.higher_id


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedIncident:
    """An incident that another one is linked with."""

    incident_id: UUID
    reason: LinkReason
    detail: str
    at: datetime
    alert_name: str
    severity: str
    service: str | None
    status: Status


def vicinity(
    connection: Connection, incident_id: UUID, since: datetime, until: datetime
) -> Vicinity:
    """Return the open incidents that were opened in a time, and what they are linked with.

    Those that nothing has been collected for are left out: they will find this one.
    """
    # first, so that what is linked meanwhile counts as not seen
    seen = connection.scalar(_SEEN, {"wanted": incident_id}) or 0
    told = {"than": incident_id, "since": since, "until": until, "most": MOST_CANDIDATES}
    found = {row.incident_id: row for row in connection.execute(_CANDIDATES, told)}
    links = _of_any(connection, [incident_id, *found])
    known = set(map(str, (incident_id, *found)))
    if beyond := sorted({end for link in links for end in link.ends} - known):
        rows = connection.execute(_FOOTPRINTS, {"ids": [UUID(end) for end in beyond]})
        found |= {row.incident_id: row for row in rows}
    others = tuple(_open_incident(row) for _, row in sorted(found.items()))
    return Vicinity(seen=seen, incidents=others, links=links)


_SEEN = select(incidents.c.link_seq).where(incidents.c.incident_id == bindparam("wanted"))
_FACTS = tuple(incidents.c[name] for name in ("incident_id", "alert_name", "severity", "footprint"))
_CANDIDATES = (
    select(*_FACTS)
    .where(
        incidents.c.resolved_at.is_(None),
        incidents.c.created_at >= bindparam("since"),
        incidents.c.created_at <= bindparam("until"),
        incidents.c.incident_id != bindparam("than"),
        incidents.c.footprint.is_not(None),
    )
    .order_by(incidents.c.created_at.desc(), incidents.c.incident_id.desc())
    .limit(bindparam("most", type_=Integer))
)
_FOOTPRINTS = select(*_FACTS).where(
    incidents.c.incident_id.in_(bindparam("ids", expanding=True)),
    incidents.c.footprint.is_not(None),
)


def _open_incident(row: Row[*tuple[Any, ...]]) -> OpenIncident:
    return OpenIncident(
        incident_id=str(row.incident_id),
        alert_name=row.alert_name,
        severity=row.severity,
        footprint=from_json(row.footprint, Footprint),
    )


def _of_any(connection: Connection, incident_ids: Collection[UUID]) -> tuple[Link, ...]:
    found = connection.execute(_OF_ANY, {"ids": list(incident_ids), "most": MOST_LINKS})
    return tuple(
        sorted(
            Link(
                lower_id=str(row.lower_id),
                higher_id=str(row.higher_id),
                reason=LinkReason(row.reason),
                detail=row.detail,
            )
            for row in found
        )
    )


_ids: BindParameter[Any] = bindparam("ids", expanding=True)
_OF_ANY = (
    select(incident_links)
    .where(or_(_ONE_END.in_(_ids), _OTHER_END.in_(_ids)))
    .order_by(incident_links.c.at.desc(), _ONE_END, _OTHER_END)
    .limit(bindparam("most", type_=Integer))
)


def hold(connection: Connection, incident_id: UUID, linking: Linking) -> set[UUID]:
    """Hold an incident and those it is to be linked with; returns which of them are still there.

    In order of their ids, as everybody does who holds several.
    """
    ends = {UUID(end) for link in linking.links for end in link.ends}
    ids = {incident_id, *ends, *map(UUID, linking.informed)}
    return set(connection.scalars(_HOLD, {"ids": sorted(ids)}))


_HOLD = (
    select(incidents.c.incident_id)
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .order_by(incidents.c.incident_id)
    .with_for_update(key_share=True)
)


def write(
    connection: Connection, incident_id: UUID, linking: Linking, held: set[UUID], rules: Rules
) -> None:
    """Add the links to those that are held, and have whom they concern diagnosed again.

    After the cooldown, which gathers them; a link that is there already is no news.
    """
    there = [link for link in linking.links if held.issuperset(map(UUID, link.ends))]
    new = _add(connection, there)
    told = (
        (mine, {"incident_id": str(its), "reason": row.reason})
        for row in new
        for mine, its in (
            (row.lower_id, row.higher_id),
            (row.higher_id, row.lower_id),
        )
    )
    tell_each(connection, "linked", told)
    concerned = held & {*map(UUID, linking.informed)} - {incident_id}
    if new and concerned:
        informed = {"ids": sorted(concerned), "cooldown_seconds": rules.cooldown_seconds}
        connection.execute(_INFORM, informed)


def _add(connection: Connection, links: Sequence[Link]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Write links; returns those that were not there."""
    if not links:
        return ()
    told = [
        {
            "lower_id": UUID(link.lower_id),
            "higher_id": UUID(link.higher_id),
            "reason": link.reason.value,
            "detail": link.detail,
        }
        for link in links
    ]
    return connection.execute(_ADD[connection.dialect.name], told).all()


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_ADD = {
    name: insert_into(incident_links)
    .values(at=database_now())
    .on_conflict_do_nothing()
    .returning(_ONE_END, _OTHER_END, incident_links.c.reason)
    for name, insert_into in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}
_after_cooldown = database_now(bindparam("cooldown_seconds", type_=Float))
_INFORM = (
    update(incidents)
    .where(incidents.c.incident_id.in_(bindparam("ids", expanding=True)))
    .values(
        link_seq=incidents.c.link_seq + 1,
        # of one that runs it is the time of its next message
        next_attempt_at=case(
            (
                (incidents.c.status == Status.COMPLETED.value)
                & ~incidents.c.flapping
                & (incidents.c.revision < MOST_REVISIONS),
                func.coalesce(incidents.c.next_attempt_at, _after_cooldown),
            ),
            else_=incidents.c.next_attempt_at,
        ),
        version=incidents.c.version + 1,
        updated_at=database_now(),
    )
)
NEWLY_LINKED = (incidents.c.link_seq > incidents.c.links_seen) & (
    incidents.c.revision < MOST_REVISIONS
)
"""Whether an incident that comes to its end has links that it has not looked at."""


def linked_with(connection: Connection, incident_id: UUID, limit: int) -> list[LinkedIncident]:
    """Return up to `limit` incidents that one is linked with, the newest link first."""
    links = connection.execute(_OF_ANY, {"ids": [incident_id], "most": limit}).all()
    others = [row.higher_id if row.lower_id == incident_id else row.lower_id for row in links]
    shown = {
        row.incident_id: row
        for statement in _SHOWN
        for row in connection.execute(statement, {"ids": others})
    }
    return [
        LinkedIncident(
            incident_id=other,
            reason=LinkReason(link.reason),
            detail=link.detail,
            at=link.at,
            alert_name=shown[other].alert_name,
            severity=shown[other].severity,
            service=shown[other].service,
            status=Status(shown[other].status),
        )
        for other, link in zip(others, links, strict=True)
        if other in shown
    ]


_SHOWN = [
    select(
        *(table.c[name] for name in ("incident_id", "alert_name", "severity", "service", "status"))
    ).where(table.c.incident_id.in_(_ids))
    for table in (incidents, incidents_archive)
]


def forget(connection: Connection, incident_ids: Iterable[UUID]) -> None:
    """Delete the links of incidents that are deleted."""
    connection.execute(_FORGET, {"ids": list(incident_ids)})


_FORGET = delete(incident_links).where(or_(_ONE_END.in_(_ids), _OTHER_END.in_(_ids)))
