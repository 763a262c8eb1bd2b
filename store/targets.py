"""An incident that alerts of a request belong to, and what becomes of it with them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from opssage.fingerprint import fingerprint
from opssage.incident import Alert, AlertGroup, Change, Status, lead_alert, severity_rank
from opssage.places import service_of, subject_of
from opssage.wire import parse_time

Place = tuple[str, ...]
"""Where an alert points: namespace and service, else its node or instance."""


def place_of(labels: Mapping[str, str]) -> Place:
    """Return where labels point; two alerts in one place are likely one trouble."""
    subject = subject_of(labels)
    thing = service_of(labels) or subject.get("node") or subject.get("instance") or ""
    return subject.get("namespace", ""), thing


@dataclass(kw_only=True, slots=True)
class Target:
    """An incident, as it is, and the alerts of this request that change it."""

    incident_id: UUID
    status: Status = Status.PENDING
    severity: str = ""
    alert_input: Mapping[str, Any] = field(default_factory=dict)
    group_id: tuple[str, str] = ("", "")
    resolved_at: datetime | None = None
    closed_ago: float | None = None  #: seconds since its end became known
    is_cut: bool = False  #: it is too old for further alerts
    is_ending: bool = False  #: the only alert that fires in it has turned out to be over
    truncated_alerts: int = 0
    flap_count: int = 0
    opened_by: AlertGroup | None = None  #: of one that is not there yet
    previous_id: UUID | None = None
    joining: list[Alert] = field(default_factory=list)  #: those that enter it or return to it
    newcomers: list[Alert] = field(default_factory=list)  #: of these, alerts it did not have before
    firing: list[Alert] = field(default_factory=list)  #: of these, those that are not over
    comes_back: bool = False  #: one of them had ended with it, and fires again
    closes: bool = False  #: with this request the last of its alerts is over
    has_news: bool = False  #: this request told something new of its alerts
    spreads: bool = False  #: one of the newcomers points where none of its alerts did

    @property
    def is_new(self) -> bool:
        """Whether this request opens it."""
        return self.opened_by is not None

    @property
    def is_open(self) -> bool:
        """Whether an alert fires in it."""
        return self.resolved_at is None and not self.is_ending

    @property
    def reopens(self) -> bool:
        """Whether this request has it fire again."""
        return self.resolved_at is not None and bool(self.firing)

    @property
    def change(self) -> Change:
        """What this request means to it."""
        happened = (
            (Change.OPENED, self.is_new),
            (Change.REOPENED, self.reopens),
            (Change.JOINED, bool(self.joining)),
            (Change.RESOLVED, self.closes),
            (Change.ENDED, self.has_news),
        )
        return next((change for change, is_so in happened if is_so), Change.REPEATED)

    @property
    def new_lead(self) -> Alert | None:
        """The joining alert that takes the lead, if one does."""
        best = lead_alert(self.joining)
        if not self.alert_input:
            return best
        starts_at = parse_time(self.alert_input["timestamp"])
        here = (severity_rank(self.severity), -starts_at.timestamp())
        there = (severity_rank(best.severity), -best.starts_at.timestamp())
        if there == here:
            return best if best.fingerprint < fingerprint(self.alert_input["labels"]) else None
        return best if there < here else None

    def may_take(self, alert: Alert, reopen_seconds: float) -> bool:
        """Whether an alert that is new to it belongs to it still.

        It does while the incident is open, and for a while after its end: by our clock, and by the
        sender's.
        """
        if self.is_cut or self.is_ending:
            return False
        if self.resolved_at is None:
            return True
        is_near = alert.starts_at <= self.resolved_at + timedelta(seconds=reopen_seconds)
        return is_near and (self.closed_ago or 0.0) <= reopen_seconds

    def join(
        self,
        alert: Alert,
        *,
        fires: bool,
        is_newcomer: bool,
        returns: bool,
        places: Collection[Place],
    ) -> None:
        """Take an alert in; `places` is where those point that it has already."""
        self.joining.append(alert)
        if is_newcomer:
            self.newcomers.append(alert)
            place = place_of(alert.labels)
            self.spreads = self.spreads or bool(places and any(place) and place not in places)
        if fires:
            self.firing.append(alert)
            began_after = self.resolved_at is not None and alert.starts_at > self.resolved_at
            self.comes_back = self.comes_back or returns or began_after
