"""Lines of several services in one terminal, each behind its service's name."""

from collections.abc import Iterable
from itertools import cycle

from rich.console import Console
from rich.text import Text

from cli.service import Say

_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan")


def printer(names: Iterable[str], console: Console) -> Say:
    """Return the function that prints a service's line behind its name."""
    styles = dict(zip(names, cycle(_COLOURS), strict=False))
    width = max(map(len, styles), default=0)

    def say(name: str, line: str) -> None:
        console.print(
            Text.assemble((f"{name:<{width}} | ", styles.get(name, "")), line), soft_wrap=True
        )

    return say
