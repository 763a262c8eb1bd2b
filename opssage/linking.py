"""Incidents that belong together: what is compared of each, what links two, and the event of all.

An event is what links join, directly or through others. Its facts follow from the incidents' alerts
and evidence alone, so that it is the same whichever of them came first.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LinkReason(StrEnum):
    """Why two incidents belong together, the most telling first."""

    SAME_SERVICE = "same_service"
    """Their alerts are about one service."""
    NEIGHBOUR = "neighbour"
    """A service of one calls one of the other, or both call the same."""
    SAME_NODE = "same_node"
    """Their alerts name one node, or one names the node that the other's pods run on."""
    SAME_CHANGE = "same_change"
    """One change of a service at or beneath both came before them."""
    SAME_NAMESPACE = "same_namespace"
    """They began together in one namespace."""

    @property
    def rank(self) -> int:
        """Return 0 for the most telling."""
        return tuple(LinkReason).index(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Where an incident points and when it began: what links are found by.

    Services are written as in the service graph.
    """

    onset: datetime
    services: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()  #: that alerts name
    hosts: tuple[str, ...] = ()  #: that pods of the services run on
    clusters: tuple[str, ...] = ()
    calls: tuple[tuple[str, str], ...] = ()  #: (caller, called) of which alerts complain
    changes: tuple[str, ...] = ()  #: before onset, at the services or beneath them


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIncident:
    """An incident in the few facts that linking needs."""

    incident_id: str
    alert_name: str
    severity: str
    footprint: Footprint


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Link:
    """Two incidents that belong together; the lower id first."""

    lower_id: str
    higher_id: str
    reason: LinkReason
    detail: str = ""  #: in words, for people

    @classmethod
    def between(cls, one: str, other: str, reason: LinkReason, detail: str) -> "Link":
        """Return the link of two incidents, whichever is named first."""
        lower, higher = sorted((one, other))
        return cls(lower_id=lower, higher_id=higher, reason=reason, detail=detail)

    @property
    def ends(self) -> tuple[str, str]:
        """Both incidents."""
        return self.lower_id, self.higher_id


@dataclass(frozen=True, kw_only=True, slots=True)
class Vicinity:
    """The incidents that one may belong together with, as the store knows them."""

    seen: int = 0  #: how often others had made links that concern it, before this was read
    incidents: tuple[OpenIncident, ...] = ()  #: without itself
    links: tuple[Link, ...] = ()  #: among these and itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Linking:
    """What is committed with an incident's context of its links."""

    seen: int = 0  #: of the vicinity that was looked at
    links: tuple[Link, ...] = ()  #: that were not known
    informed: tuple[str, ...] = ()  #: incidents whose event has more members by them


ITSELF = "itself"
INDIRECT = "indirect"
"""Where an incident of an event is told: it is this one, or linked to it through others only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventMember:
    """An incident of an event."""

    incident_id: str
    alert_name: str
    severity: str
    component: str  #: `service/checkout`, `node/worker-3`; of several the first, of none ""
    onset: datetime
    reason: str  #: of its link to this incident, or `ITSELF`, or `INDIRECT`


@dataclass(frozen=True, kw_only=True, slots=True)
class LikelyRoot:
    """Where an event most likely began."""

    component: str  #: `service/checkout`, `node/worker-3`
    incident_id: str | None  #: the first incident of that component, if any is
    since: datetime
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentEvent:
    """Several incidents that are one event."""

    event_id: str  #: the lowest id of its incidents
    members: tuple[EventMember, ...]  #: in order of onset, this incident included
    likely_root: LikelyRoot | None
    path: tuple[str, ...]  #: from the root's component to this incident's, along the calls

    @property
    def others(self) -> tuple[EventMember, ...]:
        """The members but the incident whose event is told."""
        return tuple(each for each in self.members if each.reason != ITSELF)
