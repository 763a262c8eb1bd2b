import io

from rich.console import Console

from cli import prefix


def test_lines_stand_behind_the_name_of_their_service():
    """Names are padded, so that lines start in one column; markup in them is not read."""
    console = Console(file=io.StringIO(), width=20)
    say = prefix.printer(["web", "worker"], console)

    say("web", "[bold]a line that is longer than the terminal is wide")
    say("worker", "up")

    assert console.file.getvalue().splitlines() == [
        "web    | [bold]a line that is longer than the terminal is wide",
        "worker | up",
    ]


def test_names_are_coloured_on_a_terminal():
    """Each name has a colour of its own, lines have none."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    say = prefix.printer(["web", "worker"], console)

    say("web", "up")
    say("worker", "up")

    assert console.file.getvalue() == "\x1b[36mweb    | \x1b[0mup\n\x1b[32mworker | \x1b[0mup\n"
