"""Senders of alerts, which repeat themselves and overtake each other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from factories import NOON, alert, group
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from integration.machine.bench import WHICH, Bench, one_of
from integration.machine.ledger import Entry
from integration.machine.world import RULES, Snapshot
from sqlalchemy import Row

from opssage.incident import Alert, AlertGroup, AlertStatus

# few of each, so that they meet
GROUPS = st.sampled_from(
    [
        {"sender": "default", "key": "one"},
        {"sender": "default", "key": "two"},
        {"sender": "other", "key": "one"},
    ]
)
SEVERITIES = {"A": "warning", "B": "warning", "C": "critical", "Watchdog": "none"}


def told(name: str, start: int, resolved_after: int | None) -> Alert:
    """Return one of few alerts, which starts so many seconds after noon."""
    starts_at = NOON + timedelta(seconds=start)
    severity = SEVERITIES[name]
    return alert(name, severity=severity, starts_at=starts_at, resolved_after=resolved_after)


NAMES = st.sampled_from(["A", "A", "B", "B", "C", "C", "Watchdog"])
STARTS = st.sampled_from([0, 60, 7200, 7260])
ENDS = st.sampled_from([None, None, 30, 90])
PAUSES = st.sampled_from([30, 1000, 25 * 3600])
ALERTS = st.builds(told, NAMES, STARTS, ENDS)
REQUESTS = st.builds(
    lambda envelope, alerts, left_out: group(*alerts, **envelope, truncated_alerts=left_out),
    GROUPS,
    st.lists(ALERTS, min_size=1, max_size=3, unique_by=lambda each: each.name),
    st.sampled_from([0, 0, 2, 5]),
)


@dataclass(frozen=True, kw_only=True)
class Life:
    """What is told of one alert: after a pause its start, and how long after that it ended."""

    envelope: Mapping[str, str]
    name: str
    moments: Sequence[tuple[int | None, int, int | None]]
    expires: bool


LIVES = st.builds(
    Life,
    envelope=GROUPS,
    name=NAMES,
    moments=st.lists(st.tuples(st.none() | PAUSES, STARTS, ENDS), min_size=2, max_size=8),
    expires=st.booleans(),
)
LATE_SECONDS = RULES.ingest.late_seconds


class Senders(Bench):
    """Alertmanagers."""

    quiet: Collection[str] = ("Watchdog",)  #: alerts that open and join nothing

    @rule(request=REQUESTS)
    def send(self, request: AlertGroup) -> None:
        """A group is delivered."""
        self.requests.append(request)
        self._deliver(request)

    @rule(life=LIVES)
    def tell_of_one(self, life: Life) -> None:
        """An alert ends and comes back, soon or late, with its start or another."""
        for pause, start, resolved_after in life.moments:
            if pause:
                self.let_time_pass(pause)
            if life.expires:
                self.end_stale_alerts(100)
                self.promises_hold()
            self.send(group(told(life.name, start, resolved_after), **life.envelope))
            self.promises_hold()

    @precondition(lambda self: self.requests)
    @rule(which=WHICH)
    def send_again(self, which: int) -> None:
        """An earlier delivery comes once more: late, or from another Alertmanager."""
        self._deliver(one_of(self.requests, which))

    @precondition(lambda self: self.ledger.entries)
    @rule(which=WHICH)
    def resolve(self, which: int) -> None:
        """All alerts of an incident end, those that joined it from another group too."""
        incident_id = one_of(list(self.ledger.entries), which)
        ended = [
            told(row.labels["alertname"], int((row.starts_at - NOON).total_seconds()), 30)
            for row in self.seen.alerts.values()
            if row.incident_id == incident_id and row.status == AlertStatus.FIRING
        ]
        if not ended:
            return
        row = self.seen.incidents[incident_id]
        self.send(group(*ended, sender=row.sender, key=row.group_key))

    @precondition(lambda self: self.seen.alerts)
    @rule(seconds=PAUSES)
    def let_time_pass(self, seconds: int) -> None:
        """Nothing happens: for longer than news are late, than an end is near, than a day."""
        self.world.let_all_pass(seconds)
        self.seen = self.world.look()

    @rule(limit=st.sampled_from([1, 100, 100]))
    def end_stale_alerts(self, limit: int) -> None:
        """What was not sent for a day is over since it was last heard of."""
        overdue = {
            key
            for key, row in self.seen.alerts.items()
            if row.stale_at and row.stale_at <= self.seen.looked_at
        }
        assert self.store.end_stale_alerts(limit) == min(len(overdue), limit)
        now = self.world.look()
        ended = {key for key in overdue if now.alerts[key].status == AlertStatus.RESOLVED}
        assert len(ended) == min(len(overdue), limit)
        assert all(now.alerts[key].ends_at == now.alerts[key].last_seen_at for key in ended)

    def _deliver(self, request: AlertGroup) -> None:
        room = self.world.store._rules.ingest.backlog_max - len(self.ledger.unfinished)
        receipt = self.store.create_incident(request)
        now = self.world.look()
        opened = [touched.incident_id for touched in receipt.incidents if touched.opened]
        assert len(opened) <= 1
        assert not (opened and room <= 0)
        for incident_id in opened:
            self.ledger.entries[incident_id] = Entry(incident_id=incident_id)
        self._note_reopened(now)
        if receipt.refused:
            assert room <= 0
            return
        assert receipt.accepted + receipt.duplicates + receipt.ignored == len(request.alerts)
        for each in request.alerts:
            self._note_kept(request.sender, each, now)

    def _note_reopened(self, now: Snapshot) -> None:
        for incident_id, was in self.seen.incidents.items():
            row = now.incidents[incident_id]
            if was.resolved_at and not row.resolved_at and not row.flapping:
                entry = self.ledger.entries[incident_id]
                entry.told.add((entry.revision, "reopened"))

    def _note_kept(self, sender: str, told: Alert, now: Snapshot) -> None:
        """The alert is counted in exactly one row, which says what the alert says."""
        (key,) = (
            key
            for key in now.alerts.keys() | now.archived_alerts.keys()
            if key[:2] == (sender, told.fingerprint)
            and now.deliveries(key) > self.seen.deliveries(key)
        )
        self.ledger.kept[sender, told.fingerprint, told.starts_at] = key
        if key not in now.alerts:
            assert told.status is AlertStatus.RESOLVED
            return
        row, was = now.alerts[key], self.seen.alerts.get(key)
        is_late = was is not None and self._is_late(was)
        assert row.status == (AlertStatus.RESOLVED if is_late else told.status)
        if told.name in self.quiet:
            assert row.incident_id == (was and was.incident_id)

    def _is_late(self, was: Row[Any]) -> bool:
        """Tell whether a firing alert of the row has only been overtaken by its own end."""
        if was.end_reason != "sender":
            return False
        return (self.seen.looked_at - was.closed_at).total_seconds() < LATE_SECONDS
