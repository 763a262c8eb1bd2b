"""Workers, which die, hang, come back too late, and sometimes do their work."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from factories import REPORT
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from integration.machine.bench import LEASE, SOMETIMES, VERBS, WHICH, Bench, one_of
from integration.machine.ledger import Entry, Message, Work

from opssage.errors import LostClaimError
from opssage.incident import Stage

OWNERS = st.sampled_from(["w1", "w2"])


class Workers(Bench):
    """Whoever claims a stage."""

    @precondition(lambda self: self.queue)
    @rule(which=WHICH, owner=OWNERS, redelivered=SOMETIMES)
    def receive(self, *, which: int, owner: str, redelivered: bool) -> None:
        """A worker takes a message up; one that it may have again stays in the queue."""
        message = one_of(self.queue, which)
        if not redelivered:
            self.queue.remove(message)
        self._claim(message, owner, redelivered=redelivered)

    @precondition(lambda self: self.ledger.entries)
    @rule(which=WHICH, stage=st.sampled_from(Stage), owner=OWNERS)
    def receive_from_elsewhere(self, which: int, stage: Stage, owner: str) -> None:
        """A message comes that nobody remembers."""
        incident_id = one_of(list(self.ledger.entries), which)
        self._claim(self._message(incident_id, (stage,)), owner)

    def _claim(self, message: Message, owner: str, *, redelivered: bool = False) -> None:
        entry = self.ledger.entries.get(message.incident_id)
        limit = self.ledger.max_attempts
        with self._told_apart(
            is_right=entry is not None and entry.admits(message, limit, redelivered=redelivered)
        ) as is_admitted:
            claim = self.store.claim(
                message.incident_id,
                message.stages[0],
                owner=owner,
                task_id=message.task_id,
                lease_seconds=LEASE,
                max_attempts=limit,
                redelivered=redelivered,
            )
            assert (claim is not None) == is_admitted
        if entry and claim:
            assert claim.epoch > self.seen.incidents[message.incident_id].epoch
            self.at_work.insert(0, Work(claim=claim, owner=owner, message=message))
            entry.claimed(self.at_work[0])
            self.looked[entry.incident_id, claim.epoch] = self.seen.incidents[
                entry.incident_id
            ].link_seq

    @contextmanager
    def _under(self, work: Work) -> Iterator[None]:
        """Let only the holder of a claim write, and nobody else change anything."""
        with self._told_apart(is_right=self._holds(work)) as is_held:
            if is_held:
                yield
            else:
                with pytest.raises(LostClaimError):
                    yield

    def _holds(self, work: Work) -> bool:
        entry = self.ledger.entries.get(work.incident_id)
        return entry is not None and entry.holder is work

    @precondition(lambda self: self.at_work)
    @rule(which=WHICH, is_lost=SOMETIMES)
    def commit(self, which: int, *, is_lost: bool) -> None:
        """A worker is done, perhaps long after it lost its claim; the next message may be lost."""
        work = one_of(self.at_work, which)
        others = sorted(self.ledger.entries.keys() - {work.incident_id})
        linked = tuple(others[which % len(others) :][:2]) if others else ()
        self._commit(work, linked, is_lost=is_lost)

    def _commit(self, work: Work, linked: tuple[UUID, ...], *, is_lost: bool) -> None:
        """Commit a stage; enrich links its incident with these."""
        held, stage = self._holds(work), work.claim.stage
        document = self._document(work.claim)
        with self._under(work):
            self._write(work.claim, document, linked)
        if held and stage is Stage.ENRICH:
            pairs = (sorted((work.incident_id, other)) for other in linked)
            self.ledger.linked |= {(lower, higher) for lower, higher in pairs}
        if held:
            self.ledger.entries[work.incident_id].committed(stage, document)
            if (rest := work.message.stages[1:]) and not is_lost:
                self.queue.append(self._message(work.incident_id, rest))

    @precondition(lambda self: self._ready)
    @rule(which=WHICH, owner=OWNERS, most=st.sampled_from([1, 3, 3]))
    def work_well(self, which: int, owner: str, most: int) -> None:
        """A worker runs a chain, or its first stage, without a fault."""
        entry = one_of(self._ready, which)
        for stage in Stage.remaining(entry.status)[:most]:
            self._claim(self._message(entry.incident_id, (stage,)), owner)
            self.commit(0, is_lost=True)

    @precondition(lambda self: len(self._ready) > 1)
    @rule(which=WHICH, owner=OWNERS)
    def work_past_each_other(self, which: int, owner: str) -> None:
        """An incident is linked by another one between its last two stages."""
        one, other = (one_of(self._ready, which + more) for more in (0, 1))
        *first, last = Stage.remaining(one.status)
        for entry, stages, linked in (
            (one, first, ()),
            (other, Stage.remaining(other.status), (one.incident_id,)),
            (one, (last,), ()),
        ):
            for stage in stages:
                self._claim(self._message(entry.incident_id, (stage,)), owner)
                self._commit(self.at_work[0], linked, is_lost=True)
            self.promises_hold()

    @precondition(lambda self: self._ready)
    @rule(which=WHICH, owner=OWNERS, times=st.integers(1, 3))
    def work_badly(self, which: int, owner: str, times: int) -> None:
        """Workers are killed by an incident, one after the other; the broker sees it at once."""
        entry = one_of(self._ready, which)
        message = self._message(entry.incident_id, Stage.remaining(entry.status))
        for number in range(min(times, self.ledger.max_attempts - entry.attempts)):
            self._claim(message, owner, redelivered=number > 0)
        self.world.let_pass("lease_until", 1, entry.incident_id)
        entry.is_leased = False

    @property
    def _ready(self) -> list[Entry]:
        """The incidents that a message would find work in."""
        limit = self.ledger.max_attempts
        return [e for e in self.ledger.unfinished if e.is_due and e.attempts < limit]

    @precondition(lambda self: self.at_work)
    @rule(which=WHICH, counted=st.booleans())
    def postpone(self, *, which: int, counted: bool) -> None:
        """A stage meets a fault; the last attempt that counts is the end."""
        work = one_of(self.at_work, which)
        give_up = counted and work.claim.attempts >= self.ledger.max_attempts
        self._end(work, give_up=give_up, counted=counted)

    @precondition(lambda self: self.at_work)
    @rule(which=WHICH)
    def fail(self, which: int) -> None:
        """A stage meets a fault that stays."""
        self._end(one_of(self.at_work, which), give_up=True, counted=True)

    def _end(self, work: Work, *, give_up: bool, counted: bool) -> None:
        held, error = self._holds(work), {"class": "Fault"}
        with self._under(work):
            self.store.update_status(
                work.incident_id,
                work.claim.stage,
                work.claim.epoch,
                error,
                give_up=give_up,
                counted=counted,
            )
        if not held:
            return
        with pytest.raises(LostClaimError):
            VERBS[work.claim.stage](self.store, work.incident_id, work.claim.epoch, REPORT)
        entry = self.ledger.entries[work.incident_id]
        if give_up:
            entry.given_up()
        else:
            entry.let_go()
            entry.is_waiting = True
            entry.attempts -= not counted

    @precondition(lambda self: self.at_work)
    @rule(which=WHICH)
    def heartbeat(self, which: int) -> None:
        """A worker lives; when its claim has passed on it is told so."""
        work = one_of(self.at_work, which)
        with self._told_apart(is_right=self._holds(work)) as is_held:
            assert self.store.extend_lease(work.incident_id, work.claim.epoch, LEASE) == is_held
        if is_held:
            self.ledger.entries[work.incident_id].is_leased = True

    @rule(owner=OWNERS)
    def end_softly(self, owner: str) -> None:
        """A worker is told to end, and gives back what it holds."""
        held = [e for e in self.ledger.unfinished if e.holder and e.holder.owner == owner]
        assert self.store.release(owner) == len(held)
        for entry in held:
            entry.let_go()
            entry.attempts -= 1

    @precondition(lambda self: self.ledger.unfinished)
    @rule(which=WHICH)
    def die(self, which: int) -> None:
        """A worker is killed or hangs: its lease runs out."""
        entry = one_of(self.ledger.unfinished, which)
        self.world.let_pass("lease_until", 1, entry.incident_id)
        entry.is_leased = False

    @rule()
    def wait(self) -> None:
        """What was postponed is due again."""
        self.world.let_pass("next_attempt_at", 1)
        for entry in self.ledger.unfinished:
            entry.is_waiting = False
