"""`python -m worker.health NAME`: ends with 0 while there are fresh signs of life of that name.

NAME is `queue` (each stage's queue is consumed by processes that work) or `dispatcher`.
"""

import sys
from collections.abc import Mapping

from opssage import beats
from opssage.settings import load
from store import connect


def silent(name: str, ages: Mapping[str, float], silence_seconds: float) -> list[str]:
    """Return the signs of life of a name, or below it, that are missing or too old."""
    expected = [known for known in beats.KNOWN if name in {known, known.partition("/")[0]}]
    return [
        known for known in expected or [name] if ages.get(known, silence_seconds) >= silence_seconds
    ]


def main() -> None:
    """Ask the database."""
    settings = load()
    store = connect(settings.database, settings.folder, hasty=True)
    if found := silent(sys.argv[1], store.beats(), settings.worker.silence_seconds):
        sys.exit(f"no sign of life: {', '.join(found)}")


if __name__ == "__main__":
    main()
