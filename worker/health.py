"""`python -m worker.health NAME`: ends with 0 while there are fresh signs of life of that name.

NAME is `queue` (each stage's queue is consumed by processes that work) or `dispatcher`.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence

from opssage import beats
from opssage.errors import OpsSageError
from opssage.settings import load
from store import connect

_NAMES = ("queue", *beats.KNOWN)


def silent(name: str, ages: Mapping[str, float], silence_seconds: float) -> list[str]:
    """Return the signs of life of a name, or below it, that are missing or too old."""
    expected = [known for known in beats.KNOWN if name in {known, known.partition("/")[0]}]
    return [known for known in expected if ages.get(known, silence_seconds) >= silence_seconds]


def main(words: Sequence[str] | None = None) -> None:
    """Ask the database. Exits with 1 without fresh signs, 2 for a name that there is not."""
    parser = ArgumentParser("worker.health", description="Ends with 0 while NAME is alive.")
    parser.add_argument("name", choices=_NAMES)
    name = parser.parse_args(words).name
    try:
        settings = load()
        ages = connect(settings.database, settings.folder, hasty=True).beats()
    except OpsSageError as error:
        sys.exit(f"cannot tell: {error}")
    if found := silent(name, ages, settings.worker.silence_seconds):
        sys.exit(f"no sign of life: {', '.join(found)}")


if __name__ == "__main__":
    main()
