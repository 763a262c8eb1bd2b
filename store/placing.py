"""Which incident each alert of a request belongs to: a decision, and nothing written yet."""

from dataclasses import dataclass
from datetime import datetime

from uuid_utils.compat import uuid7

from opssage.incident import Alert, AlertGroup, AlertStatus
from store.known import AlertRow, Known, Target


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """What becomes of one alert."""

    alert: Alert
    starts_at: datetime  #: of its row
    status: str
    ends_at: datetime | None
    target: Target | None  #: None: it is over, and nobody knew of it
    is_news: bool

    @property
    def opens(self) -> bool:
        """True when it belongs to an incident that is not there yet."""
        return self.target is not None and self.target.is_new

    @property
    def is_stray(self) -> bool:
        """True when it is the end of an alert that nobody knew of."""
        return self.target is None and self.is_news


def place_all(group: AlertGroup, known: Known) -> list[Placed]:
    """Decide for each alert; the order in which the sender lists them changes nothing."""
    delivered = {(alert.fingerprint, alert.starts_at): alert for alert in group.alerts}
    return [_place(delivered[key], known) for key in sorted(delivered)]


def _place(alert: Alert, known: Known) -> Placed:
    row = known.row_of(alert)
    fires = alert.status is AlertStatus.FIRING
    if row is not None and (row.incident_id is not None or not fires):
        return _place_known(alert, row, known)
    target = None
    if fires:
        if known.home is None:
            known.home = Target(incident_id=uuid7(), is_new=True)
        target = known.home
        target.joining.append(alert)
    return Placed(
        alert=alert,
        starts_at=alert.starts_at,
        status=alert.status.value,
        ends_at=alert.ends_at,
        target=target,
        is_news=True,
    )


def _place_known(alert: Alert, row: AlertRow, known: Known) -> Placed:
    """Take an alert again: a repeat, its end, or its return."""
    target = known.targets[row.incident_id] if row.incident_id else None
    is_news = target is not None and row.status != alert.status
    if target and is_news and alert.status is AlertStatus.FIRING:
        target.joining.append(alert)
    return Placed(
        alert=alert,
        starts_at=row.starts_at,
        status=alert.status.value if is_news else row.status,
        ends_at=alert.ends_at if is_news else row.ends_at,
        target=target,
        is_news=is_news,
    )
