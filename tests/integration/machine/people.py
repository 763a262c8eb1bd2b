"""People, who restart, delete, archive, configure and are told."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from integration.machine.bench import LEASE, NEVER, WHICH, Bench, one_of

from opssage.notification import Outcome


class People(Bench):
    """Whoever is at a keyboard."""

    @precondition(lambda self: self.ledger.entries)
    @rule(which=WHICH)
    def restart(self, which: int) -> None:
        """Somebody asks for another run."""
        entry = one_of(list(self.ledger.entries.values()), which)
        with self._told_apart(is_right=entry.status.is_terminal) as rests:
            assert (self.store.restart_incident(entry.incident_id) is not None) == rests
        if rests:
            entry.restarted()

    @precondition(lambda self: self.ledger.entries or self.ledger.archived)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        """Somebody deletes an incident, archived or not."""
        incident_id = one_of([*self.ledger.entries, *self.ledger.archived], which)
        assert self.store.delete_incident(incident_id)
        assert not self.store.delete_incident(incident_id)
        self.ledger.forget({incident_id}, self.seen, self.world.look())

    @rule()
    def tell_the_team(self) -> None:
        """All notifications are sent."""
        for effect in self.store.take_effects("team", 100, LEASE):
            assert self.store.end_effect(effect, Outcome.SENT)

    @rule(limit=st.sampled_from([1, 100]))
    def archive(self, limit: int) -> None:
        """What is over, and told, moves out of the way."""
        self.tell_the_team()
        over = {
            incident_id
            for incident_id, row in self.seen.incidents.items()
            if row.resolved_at
            and not row.next_attempt_at
            and self.ledger.entries[incident_id].status.is_terminal
        }
        assert self.store.archive_incidents(-NEVER, limit) == min(len(over), limit)
        moved = self.world.look().archive.keys() - self.seen.archive.keys()
        assert moved <= over
        for incident_id in moved:
            self.ledger.archived[incident_id] = self.ledger.entries.pop(incident_id)

    @precondition(lambda self: self.ledger.archived)
    @rule()
    def prune(self) -> None:
        """Somebody deletes the archive."""
        assert self.store.prune_archive(-NEVER, 100) == len(self.ledger.archived)
        self.ledger.forget(set(self.ledger.archived), self.seen, self.world.look())

    @rule(attempts=st.sampled_from([2, 3, 5]))
    def configure(self, attempts: int) -> None:
        """Workers are restarted with another number of attempts."""
        self.ledger.max_attempts = attempts

    @rule(names=st.sampled_from([(), ("B",), ("A", "B")]))
    def ignore(self, names: tuple[str, ...]) -> None:
        """Alerts are ignored from now on, or not any more."""
        self.world.ignore(names)
        self.quiet = {"Watchdog", *names}
