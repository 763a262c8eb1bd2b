"""Senders of alerts, which repeat themselves and overtake each other."""

from datetime import timedelta

from factories import NOON, alert, group
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from integration.machine.bench import WHICH, Bench, one_of
from integration.machine.ledger import Entry
from integration.machine.world import AlertKey, Snapshot

from opssage.incident import Alert, AlertGroup, AlertStatus

# few of each, so that they meet
GROUPS = st.sampled_from(
    [
        {"sender": "default", "key": "one"},
        {"sender": "default", "key": "two"},
        {"sender": "other", "key": "one"},
    ]
)
SEVERITIES = {"A": "warning", "B": "warning", "C": "critical"}


def told(name: str, start: int, resolved_after: int | None) -> Alert:
    """Return one of few alerts, which starts so many seconds after noon."""
    starts_at = NOON + timedelta(seconds=start)
    severity = SEVERITIES[name]
    return alert(name, severity=severity, starts_at=starts_at, resolved_after=resolved_after)


ALERTS = st.builds(
    told,
    st.sampled_from(sorted(SEVERITIES)),
    st.sampled_from([0, 60, 7200]),
    st.sampled_from([None, None, 30]),
)
REQUESTS = st.builds(
    lambda envelope, alerts: group(*alerts, **envelope),
    GROUPS,
    st.lists(ALERTS, min_size=1, max_size=3, unique_by=lambda each: each.name),
)


class Senders(Bench):
    """Alertmanagers."""

    @rule(request=REQUESTS)
    def send(self, request: AlertGroup) -> None:
        """A group is delivered."""
        self.requests.append(request)
        self._deliver(request)

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
        assert receipt.accepted + receipt.duplicates == len(request.alerts)
        for each in request.alerts:
            self._note_kept(request.sender, each, now)

    def _note_reopened(self, now: Snapshot) -> None:
        for incident_id, was in self.seen.incidents.items():
            if was.resolved_at and not now.incidents[incident_id].resolved_at:
                entry = self.ledger.entries[incident_id]
                entry.told.add((entry.revision, "reopened"))

    def _note_kept(self, sender: str, told: Alert, now: Snapshot) -> None:
        """The alert is counted in exactly one row, which says what the alert says."""
        (key,) = (
            key
            for key, row in now.alerts.items()
            if key[:2] == (sender, told.fingerprint)
            and row.deliveries > _deliveries(self.seen, key)
        )
        row = now.alerts[key]
        assert row.status == told.status
        if told.status is AlertStatus.FIRING:
            assert now.incidents[row.incident_id].resolved_at is None
        self.ledger.kept[sender, told.fingerprint, told.starts_at] = key


def _deliveries(seen: Snapshot, key: AlertKey) -> int:
    row = seen.alerts.get(key)
    return row.deliveries if row else 0
