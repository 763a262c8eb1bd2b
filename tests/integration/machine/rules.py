"""Everything that may happen to a store, in any order."""

import sys

from hypothesis import strategies as st
from hypothesis.stateful import initialize
from integration.machine.bench import LEASE, NEVER
from integration.machine.dispatchers import Dispatchers
from integration.machine.people import People
from integration.machine.senders import LIVES, REQUESTS, Life, Senders
from integration.machine.workers import Workers

from opssage.incident import AlertGroup, Stage, Status


class StoreMachine(Senders, Dispatchers, Workers, People):
    """All of them, on one store."""

    @initialize(
        first=st.lists(REQUESTS, min_size=1, max_size=3),
        lives=st.lists(LIVES, max_size=2),
        stages=st.sampled_from([0, 1, 3]),
    )
    def begin(self, first: list[AlertGroup], lives: list[Life], stages: int) -> None:
        """There is something to work on, or a history."""
        for request in first:
            self.send(request)
            self.promises_hold()
        for life in lives:
            self.tell_of_one(life)
        for _ in self._ready if stages else ():
            self.work_well(0, "w1", stages)
            self.promises_hold()

    def teardown(self) -> None:
        """When faults end, work ends: every incident reaches its end, whatever was done to it."""
        if sys.exc_info()[0] is not None:
            return
        for _ in range(4):
            if not self._work_through():
                break
        now = self.world.look()
        assert {row.status for row in now.incidents.values()} <= {Status.COMPLETED, Status.FAILED}
        assert not any(row.next_attempt_at for row in now.incidents.values())
        assert all(now.find_alert(key) for key in self.ledger.kept.values())

    def _work_through(self) -> int:
        """Have one round of a dispatcher and a worker that meet no fault."""
        for column in ("lease_until", "next_attempt_at", "enqueued_at"):
            self.world.let_pass(column, NEVER)
        given_up = self.store.give_up_exhausted(self.ledger.max_attempts)
        self.store.start_revisions(100)
        due = self.store.take_due(100, resend_seconds=LEASE)
        for item in due:
            for stage in Stage.remaining(item.status):
                claim = self.store.claim(
                    item.incident_id,
                    stage,
                    owner="w3",
                    task_id="last",
                    lease_seconds=LEASE,
                    max_attempts=self.ledger.max_attempts,
                )
                now = self.world.look().incidents[item.incident_id]
                self.looked[item.incident_id, claim.epoch] = now.link_seq
                self._write(claim, self._document(claim))
        return given_up + len(due)
