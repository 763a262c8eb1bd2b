"""What a query of the plan is, and how it is put to the places of an incident."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.collect.places import Places
from tasks.collect.promql import Matcher, build
from tasks.collect.series import Tolerance

Match = Mapping[str, str]  #: label of the metric → field of Places with the values

_PORT = "(?::[0-9]+)?"


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One query and how its series are read."""

    signal: str
    title: str  #: the signal in a sentence
    promql: str  #: `$M` is where the matchers of the place go
    match: tuple[Match, ...] = ()  #: asked once for each whose places are all known
    labels: Mapping[str, str]  #: label of the series → key of the subject
    names: tuple[str, ...]  #: subject keys without which a series says nothing
    unit: str
    tolerance: Tolerance
    over: str = ""  #: the series are divided by this query's; a missing numerator counts as 0
    reason: str = ""  #: pattern of the series' labels for `data.reason`
    skip_zero: bool = False  #: a series that is 0 throughout says nothing
    companion: bool = False  #: kept for exactly those pods that other evidence is about
    plain: int = 5  #: how many series that did nothing are kept, for comparison
    cluster: bool = False  #: asked without matchers when the alerts name no place


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A row put to one set of places."""

    row: Row
    query: str
    over: str = ""


def questions(rows: Sequence[Row], places: Places) -> tuple[Question, ...]:
    """Return the queries for these places, each once, in the rows' order."""
    asked = (
        Question(
            row=row,
            query=build(row.promql, matchers),
            over=build(row.over, matchers) if row.over else "",
        )
        for row in rows
        for matchers in _matcher_sets(row, places)
    )
    return tuple(dict.fromkeys(asked))


def _matcher_sets(row: Row, places: Places) -> Iterator[list[Matcher]]:
    if places.is_nowhere and row.cluster:
        yield []
    for match in row.match:
        matchers = [
            Matcher(
                label=label,
                values=getattr(places, place),
                suffix=_PORT if place == "hosts" else "",
            )
            for label, place in match.items()
        ]
        if all(matcher.values for matcher in matchers):
            yield matchers
