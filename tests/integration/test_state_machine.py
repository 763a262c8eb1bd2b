"""Whatever happens, in whatever order: the store keeps its promises, on both databases."""

import os
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from integration.machine.rules import StoreMachine
from integration.machine.world import World

EXAMPLES = int(os.environ.get("OPSSAGE_TEST_EXAMPLES", "0"))
"""More of them, and others with each run; by default few, and always the same."""

SETTINGS = settings(
    max_examples=EXAMPLES or 40,
    stateful_step_count=40,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(0 if EXAMPLES else 400)
def test_the_store_keeps_its_promises(database):
    """No sequence of deliveries, faults and work loses an alert, doubles or strands anything."""
    world = World(database)
    run_state_machine_as_test(partial(StoreMachine, world), settings=SETTINGS)
    world.close()
