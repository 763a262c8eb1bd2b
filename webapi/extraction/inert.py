"""Lines of a file that is no Markdown, so that they mean nothing in Markdown either."""

_MARKS = ("#", "```", "~~~")
_RULES = frozenset("-=*_ ")


def inert(text: str) -> str:
    """Return the text without lines that would be a heading, a fence or a rule.

    What looks like a list stays one: its items may be what to do.
    """
    lines = (_inert_line(line) for line in text.splitlines())
    return "\n".join(line for line in lines if line is not None).strip()


def _inert_line(line: str) -> str | None:
    bare = line.strip()
    if bare and _RULES.issuperset(bare):
        return None
    return f"\\{bare}" if bare.startswith(_MARKS) else line.rstrip()
