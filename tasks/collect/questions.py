"""What a query of the plan is, and how it is put to the places of an incident."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tasks.collect.places import Places
from tasks.collect.promql import OF_NAME, Matcher, build, metrics_of_template
from tasks.collect.series import Tolerance
from tasks.collect.site import Site

Match = Mapping[str, str]  #: label of the metric → field of Places with the values

_SUFFIXES: Mapping[tuple[str, str], str] = {
    ("instance", "hosts"): "(?::[0-9]+)?",
    ("job", "namespaces"): "/.+",
    ("pod", "neighbours"): OF_NAME,
    ("pod", "stray_neighbours"): OF_NAME,
}
"""Label and field of Places → what may follow the value."""


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
    anywhere: bool = False  #: asked without matchers wherever the alerts point
    topic: tuple[str, ...] = ()
    """How the words of an alert about this begin. It comes first then, and needs no place."""
    usual: bool = True  #: asked too where nobody knows which metrics there are
    digits: int = 4  #: significant ones of a point: more than a chart shows
    label: str = ""  #: asked only where metrics of requests carry it

    @cached_property
    def metrics(self) -> frozenset[str]:
        """The metrics that must exist."""
        return metrics_of_template(self.promql) | (
            metrics_of_template(self.over) if self.over else frozenset()
        )

    def is_about(self, topics: Iterable[str]) -> bool:
        """Say whether one of these words begins as an alert about this row would."""
        return any(word.startswith(self.topic) for word in topics)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A row put to one set of places."""

    row: Row
    query: str
    over: str = ""


EVERYWHERE = Site()


def questions(
    rows: Sequence[Row], places: Places, site: Site = EVERYWHERE, topics: Sequence[str] = ()
) -> tuple[Question, ...]:
    """Return the queries for these places, each once, the most important first.

    Rows that the alerts are about come before all others, which keep the rows' order. A row whose
    metrics do not exist at the site is not asked.
    """
    ordered = sorted(rows, key=lambda row: not row.is_about(topics))
    asked = (
        Question(
            row=row,
            query=build(site.spelled(row.promql, row.metrics), matchers),
            over=build(site.spelled(row.over, row.metrics), matchers) if row.over else "",
        )
        for row in ordered
        if _is_offered(row, site, topics)
        for matchers in _matcher_sets(row, places, site, topics)
    )
    return tuple(dict.fromkeys(asked))


def left_out(
    rows: Sequence[Row], places: Places, site: Site, topics: Sequence[str]
) -> tuple[Row, ...]:
    """Return the rows that would be asked if the site had their metrics."""
    return tuple(
        row
        for row in rows
        if not _is_offered(row, site, topics) and any(_matcher_sets(row, places, site, topics))
    )


def _is_offered(row: Row, site: Site, topics: Sequence[str]) -> bool:
    if site.metrics is None:
        return row.usual or row.is_about(topics)
    if not row.label:
        has_label = True
    elif site.request_labels is None:
        has_label = row.usual
    else:
        has_label = row.label in site.request_labels
    return has_label and row.metrics <= site.metrics


def _matcher_sets(
    row: Row, places: Places, site: Site, topics: Sequence[str]
) -> Iterator[list[Matcher]]:
    is_topic = row.is_about(topics)
    if row.anywhere or (is_topic and not row.match):
        yield []
        return
    if places.is_nowhere and (row.cluster or is_topic):
        yield []
    for match in row.match:
        matchers = [
            Matcher(
                label=site.spelled(label, row.metrics),
                values=getattr(places, place),
                suffix=_SUFFIXES.get((label, place), ""),
            )
            for label, place in match.items()
        ]
        if all(matcher.values for matcher in matchers):
            yield matchers
