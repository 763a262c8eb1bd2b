"""What the parts of the machine share: the world, the ledger, and what is under way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

from factories import REPORT
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from integration.machine.ledger import Ledger, Message, Work
from integration.machine.promises import PROMISES
from integration.machine.world import World

from opssage.incident import AlertGroup, Stage
from opssage.linking import Link, Linking, LinkReason
from store import Claim, Store

VERBS: dict[Stage, Callable[..., None]] = {
    Stage.COLLECT: Store.update_primary_context,
    Stage.ENRICH: Store.update_enhanced_context,
    Stage.DIAGNOSE: Store.update_diagnostic_report,
}
NEVER = 10**9  #: seconds
LEASE = 1000  #: seconds

WHICH = st.integers(0, 11)
SOMETIMES = st.sampled_from([False, False, True])


class Bench(RuleBasedStateMachine):
    """A machine without rules."""

    def __init__(self, world: World) -> None:
        """Begin with an empty world."""
        super().__init__()
        world.clear()
        self.world = world
        self.ledger = Ledger()
        self.seen = world.look()
        self.requests: list[AlertGroup] = []
        self.queue: list[Message] = []
        self.at_work: list[Work] = []
        self.numbers = count(1)
        self.looked: dict[tuple[UUID, int], int] = {}
        """By incident and epoch: how often it had been linked by others when it was claimed."""

    @property
    def store(self) -> Store:
        """The store, as it is configured."""
        return self.world.store

    @invariant()
    def promises_hold(self) -> None:
        """Compare what is there with what was, and with the ledger."""
        now = self.world.look()
        for promise in PROMISES:
            promise(self.ledger, self.seen, now)
        self.seen = now

    def _message(self, incident_id: UUID, stages: tuple[Stage, ...]) -> Message:
        return Message(incident_id=incident_id, stages=stages, task_id=f"task {next(self.numbers)}")

    @contextmanager
    def _told_apart(self, *, is_right: bool) -> Iterator[bool]:
        """Yield whether it is right; what is not changes no row."""
        yield is_right
        if not is_right:
            assert self.world.look() == self.seen

    def _write(self, claim: Claim, document: dict[str, Any], linked: tuple[UUID, ...] = ()) -> None:
        """Commit a stage; enrich links with other incidents."""
        mine = claim.incident.incident_id
        links = tuple(
            Link.between(str(mine), str(other), LinkReason.NEIGHBOUR, "near") for other in linked
        )
        linking = Linking(
            seen=self.looked[mine, claim.epoch], links=links, informed=tuple(map(str, linked))
        )
        beside = (linking,) if claim.stage is Stage.ENRICH else ()
        VERBS[claim.stage](self.store, mine, claim.epoch, document, *beside)

    def _document(self, claim: Claim) -> dict[str, Any]:
        return {**REPORT, **_seen_by(claim), "number": next(self.numbers)}


def one_of(things: list[Any], which: int) -> Any:
    """Return one of them, whatever the number."""
    return things[which % len(things)]


def _seen_by(claim: Claim) -> dict[str, Any]:
    """Return what collect writes down of the alerts it looked at."""
    incident = claim.incident
    return {"alert_seq": incident.alert_seq, "alert_metadata": {"severity": incident.severity}}
