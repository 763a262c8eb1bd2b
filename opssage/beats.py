"""Signs of life: what says of itself that it works, and under which name."""

from opssage.incident import Stage


def of_queue(stage: Stage) -> str:
    """Return the name under which the consumers of a stage's queue are heard of."""
    return f"queue/{stage.value}"


DISPATCHER = "dispatcher"
KNOWN = (*(of_queue(stage) for stage in Stage), DISPATCHER)
"""Those every installation has; others hold names of processes."""
