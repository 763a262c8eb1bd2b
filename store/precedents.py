"""What later incidents are compared with: one narrow row for each incident whose cause is known.

Known is what was diagnosed as a fault, unless somebody rejected that, or what somebody said it
really was. The row is written with the diagnosis and with what people say of it, and stays when the
incident is archived, so that a look at history reads short ranges of indexes and nothing else.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Row,
    Select,
    Table,
    bindparam,
    delete,
    func,
    select,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from opssage.diagnosis import Impression, Verdict
from opssage.knowledge import PastIncident, Standing
from store.tables import feedback, incidents, incidents_archive, precedents

SAME_EPISODE = timedelta(days=1)
"""What comes back in its group sooner than this after its end is the trouble of then, still."""

SAME_STORM = timedelta(hours=1)
"""What opened so shortly before and is not over belongs to the present, not to the past."""

_TABLES = (incidents, incidents_archive)
_REJECTED = "rejected"


def renew(connection: Connection, incident_id: UUID) -> None:
    """Write down what is known of an incident's cause now, in place of what was."""
    for statement in _DIAGNOSED:
        row = connection.execute(statement, {"wanted": incident_id}).first()
        if row:
            break
    else:
        return
    known = _known(connection, row)
    if known is None:
        connection.execute(_FORGET, {"ids": [incident_id]})
    else:
        connection.execute(_KEEP[connection.dialect.name], known)


def _diagnosed(table: Table) -> Select[Any]:
    report, enhanced = table.c.diagnostic_report, table.c.enhanced_context
    last = select(func.max(feedback.c.feedback_id)).where(
        feedback.c.incident_id == table.c.incident_id
    )
    # only these parts of a report leave the database: it may be large
    return select(
        *(table.c[name] for name in _COPIED),
        table.c.root_cause,
        table.c.revision,
        report["verdict"].as_string().label("verdict"),
        report["category"].as_string().label("category"),
        report["root_cause_component"].as_string().label("component"),
        report["recommended_remediation", "short_term_actions"].label("actions"),
        enhanced["signals"].label("signals"),
        last.scalar_subquery().label("last_feedback"),
    ).where(table.c.incident_id == bindparam("wanted"))


_COPIED = ("incident_id", "created_at", "alert_name", "service", "namespace")
_DIAGNOSED = [_diagnosed(table) for table in _TABLES]


def _known(connection: Connection, row: Row[Any]) -> dict[str, Any] | None:
    """Return the row of an incident; None when its cause is not known."""
    kept = {name: getattr(row, name) for name in _COPIED}
    said = _feedback(connection, row)
    signals = row.signals or []
    if said is not None and said.verdict == _REJECTED:
        return {**kept, **_corrected(connection, row, said)} if _true_cause(said) else None
    if row.verdict != Verdict.FAULT.value:
        return None
    return {
        **kept,
        "category": row.category or "",
        "component_kind": (row.component or "").partition("/")[0],
        "judged": said is not None,
        "facts": {
            "root_cause": row.root_cause or "",
            "comment": (said.comment or "") if said is not None else "",
            "signals": signals,
            "actions": [told for each in row.actions or () if (told := each.get("action"))],
        },
    }


def _corrected(connection: Connection, row: Row[Any], said: Row[Any]) -> dict[str, Any]:
    """Return what somebody said it really was; of what kind, if the diagnosis had weighed it."""
    meant: Mapping[str, Any] = next(
        (each for each in _hypotheses(connection, row) if said.cause == each.get("cause")), {}
    )
    return {
        "category": meant.get("category", ""),
        "component_kind": meant.get("component", "").partition("/")[0],
        "judged": True,
        "facts": {
            "root_cause": _true_cause(said),
            "comment": said.comment or "",
            "corrected": True,
            "signals": row.signals or [],
            "actions": [],
        },
    }


def _true_cause(said: Row[Any]) -> str:
    """Return the cause that was told, in words or by its name in the catalogue."""
    return str(said.root_cause or (said.cause or "").replace("_", " "))


def _hypotheses(connection: Connection, row: Row[Any]) -> Sequence[Mapping[str, Any]]:
    for statement in _WEIGHED:
        if found := connection.scalar(statement, {"wanted": row.incident_id}):
            return list(found)
    return ()


_WEIGHED = [
    select(table.c.diagnostic_report["hypotheses"]).where(
        table.c.incident_id == bindparam("wanted")
    )
    for table in _TABLES
]


def _feedback(connection: Connection, row: Row[Any]) -> Row[Any] | None:
    """Return what was said last, unless it was about an earlier answer and names no cause."""
    if row.last_feedback is None:
        return None
    said = connection.execute(_SAID, {"wanted": row.last_feedback}).one()
    names_cause = said.verdict == _REJECTED and _true_cause(said)
    return said if said.revision == row.revision or names_cause else None


_SAID = select(feedback).where(feedback.c.feedback_id == bindparam("wanted"))


def _keep(insert_into: Any) -> Any:
    statement = insert_into(precedents)
    changed = {
        column.name: statement.excluded[column.name]
        for column in precedents.columns
        if not column.primary_key
    }
    return statement.on_conflict_do_update(index_elements=["incident_id"], set_=changed)


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_KEEP = {"postgresql": _keep(postgresql.insert), "sqlite": _keep(sqlite.insert)}


def forget(connection: Connection, incident_ids: Collection[UUID]) -> None:
    """Forget incidents that are deleted."""
    connection.execute(_FORGET, {"ids": list(incident_ids)})


_of_ids: BindParameter[UUID] = bindparam("ids", expanding=True)
_FORGET = delete(precedents).where(precedents.c.incident_id.in_(_of_ids))


def past(
    connection: Connection,
    *,
    than: UUID,
    alert_name: str,
    service: str | None,
    impression: Impression,
    limit: int,
) -> list[PastIncident]:
    """Return the newest incidents that are like this one in one way or another.

    At most `limit` of each kind: of the same alert; of the same service and the category that is
    suspected; of that category and kind of component. Judged ones come first. The same episode, and
    what belongs to the present, are no past.
    """
    suspected = impression.suspicions[0] if impression.suspicions else None
    told = {
        "alert_name": alert_name,
        "service": service,
        "category": (suspected.category if suspected else "") or None,
        "component_kind": (suspected.component_kind if suspected else "") or None,
        "most": limit,
    }
    found = {row.incident_id: row for row in connection.execute(_NEWEST, told)}
    found.pop(than, None)
    if not found:
        return []
    rows = connection.execute(_ENDS, {"ids": [than, *found]})
    ends = {row.incident_id: row for row in rows}
    own = ends.get(than)
    return [
        _past(found[each], ends[each].resolved_at)
        for each in sorted(found)
        if own is not None and each in ends and _Pair(own, ends[each]).is_past(found[each].judged)
    ]


def _newest(*names: str) -> Select[Any]:
    """Return the search by some columns; how much it reads does not grow with the history."""
    of_kind = (
        select(precedents)
        .where(*(precedents.c[name] == bindparam(name) for name in names))
        .order_by(
            precedents.c.judged.desc(),
            precedents.c.created_at.desc(),
            precedents.c.incident_id.desc(),
        )
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
    return select(of_kind)


KINDS = (("alert_name",), ("service", "category"), ("category", "component_kind"))
"""What incidents may have in common, by columns; each has an index."""

_NEWEST = union_all(*(_newest(*names) for names in KINDS))
_ENDS = union_all(
    *(
        select(
            *(
                table.c[name]
                for name in ("incident_id", "created_at", "resolved_at", "previous_id")
            ),
            *(table.c[name] for name in ("sender", "receiver", "group_key")),
        ).where(table.c.incident_id.in_(_of_ids))
        for table in _TABLES
    )
)


@dataclass(frozen=True, slots=True)
class _Pair:
    """An incident and another one, which may be of its past."""

    own: Row[Any]
    other: Row[Any]

    def is_past(self, judged: bool) -> bool:  # noqa: FBT001 - of the other
        began, ended = self.own.created_at, self.other.resolved_at
        if self._are_one_trouble():
            return ended is not None and ended <= began - SAME_EPISODE
        if judged or (ended is not None and ended <= began):
            return True
        opened: timedelta = began - self.other.created_at
        return opened >= SAME_STORM

    def _are_one_trouble(self) -> bool:
        own, other = self.own, self.other
        return (
            other.incident_id == own.previous_id
            or own.incident_id == other.previous_id
            or _group(own) == _group(other)
        )


def _group(row: Row[Any]) -> tuple[str, str, str]:
    return row.sender, row.receiver, row.group_key


def _past(row: Row[Any], resolved_at: Any) -> PastIncident:
    facts: Mapping[str, Any] = row.facts
    judged = Standing.CORRECTED if facts.get("corrected") else Standing.CONFIRMED
    return PastIncident(
        incident_id=str(row.incident_id),
        alert_name=row.alert_name,
        service=row.service,
        namespace=row.namespace,
        created_at=row.created_at,
        root_cause=facts["root_cause"],
        category=row.category,
        component_kind=row.component_kind,
        signals=tuple(facts["signals"]),
        resolved_at=resolved_at,
        actions=tuple(facts["actions"]),
        standing=judged if row.judged else Standing.UNJUDGED,
        comment=facts["comment"],
    )
