"""Pages of incidents: by any filter, in each of the orders that have an index."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    UnaryExpression,
    bindparam,
    select,
    tuple_,
)

from opssage.incident import Incident
from store import rows
from store.columns import UTCDateTime
from store.tables import incidents, incidents_archive


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentFilter:
    """Which incidents to list. Several values of one field mean any of them."""

    status: Sequence[str] = ()
    severity: Sequence[str] = ()
    namespace: Sequence[str] = ()
    service: Sequence[str] = ()
    alert_name: Sequence[str] = ()
    sender: Sequence[str] = ()
    open: bool | None = None  #: whether one of its alerts still fires
    acked: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_since: datetime | None = None


class Sort(StrEnum):
    """The orders of a list; a minus is for newest first."""

    NEWEST = "-created_at"
    OLDEST = "created_at"
    LAST_CHANGED = "-updated_at"
    FIRST_CHANGED = "updated_at"

    @property
    def column(self) -> str:
        """The time that orders."""
        return self.lstrip("-")

    @property
    def is_descending(self) -> bool:
        """True when the latest time comes first."""
        return self.startswith("-")

    def position(self, incident: Incident) -> "Position":
        """Return where a list in this order stands at an incident."""
        return getattr(incident, self.column), incident.incident_id

    def order(self, columns: Any) -> list[UnaryExpression[Any]]:
        """Return the ORDER BY over these columns."""
        keys = (columns[self.column], columns.incident_id)
        return [key.desc() if self.is_descending else key.asc() for key in keys]


Position = tuple[datetime, UUID]
"""Where a page ends: the time that orders it, and the id, of its last incident."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Which incidents are wanted, and from where on: what a query is built from, and told."""

    table: Table
    sort: Sort
    names: frozenset[str]  #: of the conditions
    told: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        chosen: IncidentFilter,
        *,
        sort: Sort = Sort.NEWEST,
        after: Position | None = None,
        archived: bool = False,
    ) -> "Question":
        """Return the question for the incidents chosen, behind the position `after`."""
        told = {each.name: getattr(chosen, each.name) for each in fields(chosen)}
        # a field left empty asks for nothing
        told = {name: value for name, value in told.items() if value not in (None, (), [])}
        flags = {f"{name}_{told.pop(name)}".lower() for name in _FLAGS & told.keys()}
        names = frozenset({*told, *flags, *(("after",) if after else ())})
        if after:
            told |= {"after_at": after[0], "after_id": after[1]}
        table = incidents_archive if archived else incidents
        return cls(table=table, sort=sort, names=names, told=told)


_FLAGS = {"open", "acked"}
_after = (
    bindparam("after_at", type_=UTCDateTime()),
    bindparam("after_id", type_=incidents.c.incident_id.type),
)


def _conditions(table: Table, sort: Sort) -> dict[str, ColumnElement[bool]]:
    """Return what each filter, and the position of a page, asks of an incident."""
    words = ("status", "severity", "namespace", "service", "alert_name", "sender")
    place = tuple_(table.c[sort.column], table.c.incident_id)
    return {
        **{name: table.c[name].in_(bindparam(name, expanding=True)) for name in words},
        "open_true": table.c.resolved_at.is_(None),
        "open_false": table.c.resolved_at.is_not(None),
        "acked_true": table.c.acked_at.is_not(None),
        "acked_false": table.c.acked_at.is_(None),
        "created_after": table.c.created_at >= bindparam("created_after"),
        "created_before": table.c.created_at < bindparam("created_before"),
        "updated_since": table.c.updated_at >= bindparam("updated_since"),
        "after": place < tuple_(*_after) if sort.is_descending else place > tuple_(*_after),
    }


def shown(table: Table, columns: Iterable[Column[Any]]) -> list[Column[Any]]:
    """Return these columns of `incidents` as `table` has them, and when they were archived."""
    names = [column.name for column in columns]
    return [table.c[name] for name in (*names, "archived_at") if name in table.c]


def summary(table: Table) -> list[Column[Any]]:
    """Return what a list shows of an incident."""
    return shown(table, rows.SUMMARY)


def selection(table: Table, sort: Sort, names: Iterable[str]) -> Select[Any]:
    """Return the query for incidents under the named conditions, in order, without a column."""
    conditions = _conditions(table, sort)
    return (
        select()
        .select_from(table)
        .where(*(conditions[name] for name in sorted(names)))
        .order_by(*sort.order(table.c))
    )


@cache
def _page(table: Table, sort: Sort, names: frozenset[str]) -> Select[Any]:
    """Return the query of a page; building it costs more than running it."""
    return (
        selection(table, sort, names)
        .add_columns(*summary(table))
        .limit(bindparam("most", type_=Integer))
    )


def page(connection: Connection, question: Question, limit: int) -> list[Incident]:
    """Return up to `limit` incidents without documents."""
    statement = _page(question.table, question.sort, question.names)
    found = connection.execute(statement, {**question.told, "most": limit})
    return [rows.incident(row) for row in found]
