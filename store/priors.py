"""How often people said of a component that it was this cause, or was not.

Counted anew from what they said whenever it is asked for, so that deleting an incident, or another
judgement of the same diagnosis, needs no book-keeping. The version moves with whatever is counted.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from opssage.priors import CauseCount, Priors
from store.tables import feedback, feedback_state

MOST_JUDGEMENTS = 2000
"""The newest ones of a namespace, which are counted."""
MOST_COUNTS = 200
"""Of a namespace: those that rest on most."""

_CONFIRMED = "confirmed"
_Key = tuple[str, str, str]


def of_namespace(connection: Connection, namespace: str | None) -> Priors:
    """Return the counts of one namespace."""
    # first: a version that is older than what it is told with is asked for again
    version = connection.scalar(_VERSION) or 0
    told = {"wanted": namespace or "", "most": MOST_JUDGEMENTS}
    return _priors(version, connection.execute(_OF_NAMESPACE, told).all(), MOST_COUNTS)


def of_all(connection: Connection, limit: int) -> Priors:
    """Return the counts of all namespaces, by the newest `limit` judgements."""
    version = connection.scalar(_VERSION) or 0
    return _priors(version, connection.execute(_OF_ALL, {"most": limit}).all(), limit)


_ONE = 1
_VERSION = select(feedback_state.c.version)
_SAID = select(
    *(
        feedback.c[name]
        for name in (
            *("incident_id", "revision", "verdict"),
            *("namespace", "component", "judged_cause", "cause"),
        )
    )
).order_by(feedback.c.feedback_id.desc())
_most = bindparam("most", type_=Integer)
_OF_NAMESPACE = _SAID.where(feedback.c.namespace == bindparam("wanted")).limit(_most)
_OF_ALL = _SAID.limit(_most)


def _priors(version: int, said: Sequence[Row[*tuple[Any, ...]]], most: int) -> Priors:
    # newest first, so the last word on each diagnosis is the one that stays
    last: dict[tuple[Any, int], Row[*tuple[Any, ...]]] = {}
    for row in said:
        last.setdefault((row.incident_id, row.revision), row)
    counted = Counter(each for row in last.values() for each in _says(row))
    keys = {key for key, _ in counted}
    told = sorted(keys, key=lambda key: (-counted[key, True] - counted[key, False], key))[:most]
    return Priors(
        version=version,
        counts=tuple(
            CauseCount(
                namespace=key[0],
                component=key[1],
                cause=key[2],
                confirmed=counted[key, True],
                rejected=counted[key, False],
            )
            for key in sorted(told)
        ),
    )


def _says(row: Row[*tuple[Any, ...]]) -> Iterator[tuple[_Key, bool]]:
    """Yield which causes a judgement speaks for (True) and against."""
    is_confirmed = row.verdict == _CONFIRMED
    is_other = row.cause and row.cause != row.judged_cause
    if not row.component:
        return
    if row.judged_cause and not (is_confirmed and is_other):
        yield (row.namespace, row.component, row.judged_cause), is_confirmed
    if is_other:
        yield (row.namespace, row.component, row.cause), True


def move(connection: Connection) -> None:
    """Move the version: what is counted has changed."""
    connection.execute(_MOVE[connection.dialect.name])


def _moving(insert_into: Any) -> Any:
    statement = insert_into(feedback_state).values(state_id=_ONE, version=1)
    return statement.on_conflict_do_update(
        index_elements=["state_id"], set_={"version": feedback_state.c.version + 1}
    )


# both databases spell ON CONFLICT alike, but the two inserts have no common type
_MOVE = {"postgresql": _moving(postgresql.insert), "sqlite": _moving(sqlite.insert)}
