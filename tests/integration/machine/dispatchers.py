"""Dispatchers, and a broker that loses and doubles what it is given."""

from hypothesis import strategies as st
from hypothesis.stateful import rule
from integration.machine.bench import LEASE, NEVER, SOMETIMES, Bench

from opssage.incident import Stage, Status


class Dispatchers(Bench):
    """Whoever asks what is due."""

    @rule(
        limit=st.sampled_from([1, 100]),
        resend=SOMETIMES,
        fates=st.lists(st.sampled_from([1, 1, 0, 2]), min_size=4, max_size=4),
    )
    def dispatch(self, *, limit: int, resend: bool, fates: list[int]) -> None:
        """What is due is published; the broker may lose a message or double it."""
        if resend:
            self._lose_patience()
        due = {entry.incident_id for entry in self.ledger.unfinished if entry.needs_message}
        taken = self.store.take_due(limit, resend_seconds=LEASE)
        order = sorted(
            (row.priority, row.created_at)
            for incident_id, row in self.seen.incidents.items()
            if incident_id in due
        )
        rows = [self.seen.incidents[item.incident_id] for item in taken]
        assert [(row.priority, row.created_at) for row in rows] == order[:limit]
        assert {item.incident_id for item in taken} <= due
        for number, item in enumerate(taken):
            self.ledger.entries[item.incident_id].stamped()
            message = self._message(item.incident_id, Stage.remaining(item.status))
            self.queue += [message] * fates[number % len(fates)]

    def _lose_patience(self) -> None:
        self.world.let_pass("enqueued_at", NEVER)
        for entry in self.ledger.unfinished:
            entry.is_stamp_old = True

    @rule()
    def fail_to_publish(self) -> None:
        """The broker refuses what was just taken."""
        taken = [item.incident_id for item in self.store.take_due(100, resend_seconds=LEASE)]
        if taken:
            self.store.give_back(taken)
        for incident_id in taken:
            self.ledger.entries[incident_id].is_stamped = False

    @rule()
    def lose_broker(self) -> None:
        """All messages are gone, and a dispatcher notices; what is worked on needs none."""
        lost = [e for e in self.ledger.unfinished if e.is_stamped and not e.is_leased]
        self.queue.clear()
        assert self.world.lose_broker() == len(lost)
        for entry in lost:
            entry.is_stamped = False

    @rule(gathered=st.booleans())
    def start_revisions(self, *, gathered: bool) -> None:
        """What alerts have joined is diagnosed anew, all of it once it was gathered long enough."""
        resting = self.seen.incidents.keys() - {e.incident_id for e in self.ledger.unfinished}
        due = {each for each in resting if self.seen.incidents[each].next_attempt_at}
        if gathered:
            self.world.let_pass("next_attempt_at", 1)
            for entry in self.ledger.unfinished:
                entry.is_waiting = False
        started = self.store.start_revisions(100)
        now = self.world.look().incidents
        restarted = {each for each in due if not Status(now[each].status).is_terminal}
        assert len(restarted) == started
        assert not gathered or restarted == due
        for incident_id in restarted:
            self.ledger.entries[incident_id].restarted()

    @rule()
    def give_up_exhausted(self) -> None:
        """What has killed its workers too often ends."""
        exhausted = list(self.ledger.exhausted)
        assert self.store.give_up_exhausted(self.ledger.max_attempts) == len(exhausted)
        for entry in exhausted:
            entry.given_up()
