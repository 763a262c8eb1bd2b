"""`python run.py [CONFIG] [OPTION …]`: `opssage up`, for people who have a checkout."""

import sys
from collections.abc import Sequence

from cli.main import main


def words(arguments: Sequence[str]) -> list[str]:
    """Return the words for `opssage`: a first argument that is no option names the file."""
    if arguments and not arguments[0].startswith("-"):
        return ["up", f"--config={arguments[0]}", *arguments[1:]]
    return ["up", *arguments]


if __name__ == "__main__":
    main(words(sys.argv[1:]))
