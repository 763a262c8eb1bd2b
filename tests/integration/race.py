"""A worker of the race: claims, dawdles, commits, and now and then dies or comes back too late."""

import random
import sys
import time
from pathlib import Path
from uuid import UUID

from opssage.errors import LostClaimError
from opssage.incident import Stage, Status
from opssage.settings import DatabaseSettings
from store import Store, connect

LEASE_SECONDS = 0.3
_DEADLINE_SECONDS = 60

VERBS = {
    Stage.COLLECT: Store.update_primary_context,
    Stage.ENRICH: Store.update_enhanced_context,
    Stage.DIAGNOSE: Store.update_diagnostic_report,
}


def work(store: Store, incident_id: UUID, stage: Stage, name: str, chance: random.Random) -> None:
    """Handle one message, as often as it may come."""
    claim = store.claim(
        incident_id,
        stage,
        owner=name,
        task_id=name,
        lease_seconds=LEASE_SECONDS,
        max_attempts=1000,
    )
    if claim is None or chance.random() < 0.1:  # dies with the lease in hand
        return
    if chance.random() < 0.1:  # a zombie: commits after its lease has passed on
        time.sleep(LEASE_SECONDS * 1.5)
    document = {"by": name, "epoch": claim.epoch, "root_cause": name, "confidence_score": 0.5}
    try:
        VERBS[stage](store, incident_id, claim.epoch, document)
    except LostClaimError:
        return


def race(url: str, name: str) -> None:
    """Work until every incident is terminal."""
    chance = random.Random(name)
    store = connect(DatabaseSettings(url=url), Path())
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        due = store.take_due(5, resend_seconds=LEASE_SECONDS / 2)
        if not due and all(i.status.is_terminal for i in store.list_incidents(limit=200)):
            break
        for item in due:
            for _ in range(chance.choice((1, 1, 2))):  # messages come twice
                for stage in Stage.remaining(Status(item.status)):
                    work(store, item.incident_id, stage, name, chance)
    store.close()


if __name__ == "__main__":
    race(*sys.argv[1:])
