"""Which incident each alert of a request belongs to: a decision, and nothing written yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from uuid_utils.compat import uuid7

from opssage.incident import SERVANTS, Alert, AlertGroup, AlertStatus, Disposition
from opssage.matching import has_labels
from opssage.settings import IngestSettings
from store.known import Known, Seen, begins_anew, group_id
from store.targets import Target

BY_SENDER = "sender"
SUPERSEDED = "superseded"
EXPIRED = "expired"
ANNOUNCED = "announced"
"""Why an alert is over: it was said to be; a later start of it came; it was not sent any more; it
was not sent again before the end that its sender announced, as it does while the alert fires."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """What becomes of one alert."""

    alert: Alert
    row: Seen  #: as it will be
    is_news: bool
    supersedes: Seen | None = None  #: the row of an earlier start, which is over with this one

    @property
    def target(self) -> Target | None:
        """The incident it belongs to; None with a disposition that says why."""
        return self.row.target

    @property
    def opens(self) -> bool:
        """True when it belongs to an incident that is not there yet."""
        return self.target is not None and self.target.is_new

    @property
    def is_stray(self) -> bool:
        """True when it is the end of an alert that nobody knew of."""
        return self.is_news and self.row.disposition == Disposition.RESOLVED_ONLY

    @property
    def is_ignored(self) -> bool:
        """True when it is kept and asks for nothing."""
        return self.target is None and self.row.disposition != Disposition.RESOLVED_ONLY


def place_all(groups: Sequence[AlertGroup], known: Known, settings: IngestSettings) -> list[Placed]:
    """Decide for each alert; the order in which the sender lists them changes nothing."""
    delivered = {
        (alert.fingerprint, alert.starts_at, alert.status): (alert, group)
        for group in groups
        for alert in group.alerts
    }
    placing = _Placing(known, settings)
    placing.foresee(alert for alert, _ in delivered.values())
    return [placing.place(*delivered[key]) for key in sorted(delivered)]


class _Placing:
    def __init__(self, known: Known, settings: IngestSettings) -> None:
        self._known = known
        self._settings = settings
        self._drift = timedelta(seconds=settings.drift_seconds)

    def foresee(self, delivered: Iterable[Alert]) -> None:
        """Note which incidents end since all that fires in them starts anew.

        Then none of these alerts stays there, whichever of them is placed first.
        """
        self._leave([row for alert in delivered if (row := self._before(alert))])

    def place(self, alert: Alert, group: AlertGroup) -> Placed:
        firing = self._known.firing(alert)
        if alert.status is AlertStatus.RESOLVED:
            return self._end(alert, firing)
        before = self._before(alert)
        row = self._known.row(alert) if before else firing or self._row_of(alert)
        is_late = row is not None and self._is_late(row)
        if row is not None and row.target and (row.fires or is_late):
            return Placed(alert=alert, row=row, is_news=False)
        if before is not None:
            self._supersede(before, alert)
        if disposition := self._disposition(alert, row):
            return self._keep(alert, row, before, disposition, is_over=is_late)
        return self._enter(alert, group, row, before, is_over=is_late)

    def _before(self, alert: Alert) -> Seen | None:
        """Return the row that fires, when a firing alert is a later start of it."""
        row = self._known.firing(alert)
        if row is None or alert.status is AlertStatus.RESOLVED:
            return None
        return row if begins_anew(alert, row.starts_at, self._drift) else None

    def _row_of(self, alert: Alert) -> Seen | None:
        """Return the row of this start, or of an episode that it lies in and that has just ended.

        `startsAt` may move while an alert fires, and differ from peer to peer.
        """
        just_ended = (
            row
            for row in self._known.rows.get(alert.fingerprint, ())
            if self._is_late(row) and _overlaps(alert, row)
        )
        return self._known.row(alert) or next(just_ended, None)

    def _is_late(self, row: Seen) -> bool:
        """Whether a firing alert of this row was overtaken by its own end."""
        return (
            not row.fires
            and row.end_reason == BY_SENDER
            and row.closed_ago is not None
            and row.closed_ago < self._settings.late_seconds
        )

    def _supersede(self, row: Seen, alert: Alert) -> None:
        """End a row since a later start of its alert came: nobody sent its end."""
        row.status, row.ends_at, row.end_reason = AlertStatus.RESOLVED, alert.starts_at, SUPERSEDED
        self._leave([row])

    def _leave(self, rows: Iterable[Seen]) -> None:
        """Have rows fire in their incidents no more; one in which no other fires is ending."""
        left: dict[UUID, Target] = {}
        for row in rows:
            if row.target is not None and not row.target.is_ending:
                self._known.members[row.target.incident_id][row.fingerprint] = False
                left[row.target.incident_id] = row.target
        for incident_id, target in left.items():
            target.is_ending = not any(self._known.members[incident_id].values())

    def _disposition(self, alert: Alert, row: Seen | None) -> Disposition | None:
        if row is not None and row.target:
            return None  # what belongs to an incident stays there
        if alert.name in SERVANTS:
            return SERVANTS[alert.name]
        is_ignored = any(has_labels(each.labels, alert.labels) for each in self._settings.ignore)
        return Disposition.IGNORED if is_ignored else None

    def _keep(
        self,
        alert: Alert,
        row: Seen | None,
        before: Seen | None,
        disposition: Disposition,
        *,
        is_over: bool,
    ) -> Placed:
        """Keep an alert that asks for nothing."""
        is_news = row is None or not (row.fires or is_over)
        row = self._fired(alert, row, is_over=is_over)
        row.disposition = disposition
        return Placed(alert=alert, row=row, is_news=is_news, supersedes=before)

    def _enter(
        self,
        alert: Alert,
        group: AlertGroup,
        row: Seen | None,
        before: Seen | None,
        *,
        is_over: bool,
    ) -> Placed:
        """Give an alert its incident: the one it returns to, or the one it enters."""
        own = row.target if row is not None else None
        target = own or self._home(alert, group, before)
        members = self._known.members.setdefault(target.incident_id, {})
        target.join(
            alert,
            fires=not is_over,
            is_newcomer=own is None and alert.fingerprint not in members,
            returns=own is not None,
            places=self._known.places.get(target.incident_id, ()),
        )
        members[alert.fingerprint] = not is_over or members.get(alert.fingerprint, False)
        row = self._fired(alert, row, is_over=is_over)
        row.target, row.disposition = target, None
        return Placed(alert=alert, row=row, is_news=True, supersedes=before)

    def _home(self, alert: Alert, group: AlertGroup, before: Seen | None) -> Target:
        """Return the incident that an alert enters: the first of these that there is.

        An open one that has had it, the open one of its group, the one of its group that ended
        just now, a new one.
        """
        for row in self._known.rows.get(alert.fingerprint, ()):
            if row.target and row.target.is_open and not row.target.is_cut:
                return row.target
        key = group_id(group)
        last = self._known.homes.get(key)
        if last is not None and last.may_take(alert, self._settings.reopen_seconds):
            return last
        earlier = last or (before.target if before else None)
        previous_id = earlier.incident_id if earlier else None
        new = Target(incident_id=uuid7(), opened_by=group, previous_id=previous_id)
        self._known.homes[key] = new
        return new

    def _fired(self, alert: Alert, row: Seen | None, *, is_over: bool) -> Seen:
        """Return the row of a firing alert, as it will be."""
        if row is None:
            return self._new_row(alert)
        if not is_over:
            row.status, row.ends_at, row.end_reason = AlertStatus.FIRING, None, None
        return row

    def _new_row(self, alert: Alert) -> Seen:
        row = Seen(
            fingerprint=alert.fingerprint,
            starts_at=alert.starts_at,
            status=alert.status,
            ends_at=alert.ends_at,
        )
        self._known.add(row)
        return row

    def _end(self, alert: Alert, firing: Seen | None) -> Placed:
        """End the row that fires, unless this is the end of an episode before it."""
        is_its_own = firing is not None and (
            alert.ends_at is None or alert.ends_at >= firing.starts_at
        )
        row = firing if is_its_own else self._row_of(alert)
        if row is None:
            row = self._new_row(alert)
            row.disposition = Disposition.RESOLVED_ONLY
        elif not row.fires and not _is_better(alert, row):
            return Placed(alert=alert, row=row, is_news=False)
        row.status, row.ends_at = AlertStatus.RESOLVED, alert.ends_at
        row.end_reason = BY_SENDER
        if row.closed_ago is None:
            row.closed_ago = 0.0
        return Placed(alert=alert, row=row, is_news=True)


def _overlaps(alert: Alert, ended: Seen) -> bool:
    """Whether an alert fires, or fired, at a time at which an episode did that is over."""
    begins_before = ended.ends_at is not None and alert.starts_at < ended.ends_at
    return begins_before and (alert.ends_at is None or alert.ends_at >= ended.starts_at)


def _is_better(alert: Alert, row: Seen) -> bool:
    """Whether an end tells more than the one known: that was a guess, or an earlier one."""
    if alert.ends_at is None:
        return False
    return row.end_reason != BY_SENDER or row.ends_at is None or alert.ends_at > row.ends_at
