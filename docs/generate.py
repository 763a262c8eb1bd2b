"""Write docs/reference.md from the code: settings, commands, tables, causes."""

from collections.abc import Iterator
from pathlib import Path

import click

from cli.main import main
from store import tables
from tasks.diagnose.catalogue import CAUSES

ROOT = Path(__file__).parents[1]
_WIDTH = {"terminal_width": 88, "max_content_width": 88}
REFERENCE = ROOT / "docs" / "reference.md"


def reference() -> str:
    """Return the page."""
    return "\n".join(
        (
            "# Reference",
            "",
            "Written by `make docs` from the code; a test fails when it is stale.",
            "",
            *_settings(),
            *_commands(),
            *_tables(),
            *_causes(),
        )
    )


def _settings() -> Iterator[str]:
    yield from ("## Settings", "", "```yaml")
    yield (ROOT / "config.yaml").read_text().rstrip()
    yield from ("```", "")


def _commands() -> Iterator[str]:
    yield from ("## Commands", "")
    context = click.Context(main, info_name="opssage", **{**main.context_settings, **_WIDTH})
    yield from _fenced(main.get_help(context))
    yield from _below(main, context)


def _below(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # noqa: S101 - it was just listed
        inner = click.Context(command, parent=context, info_name=name, **_WIDTH)
        yield from (f"### {inner.command_path}", "")
        yield from _fenced(command.get_help(inner))
        if isinstance(command, click.Group):
            yield from _below(command, inner)


def _fenced(text: str) -> Iterator[str]:
    yield from ("```", *(line.rstrip() for line in text.splitlines()), "```", "")


def _tables() -> Iterator[str]:
    yield from ("## Tables", "")
    for table in tables.metadata.sorted_tables:
        yield from (f"### {table.name}", "", "| column | type | null |", "|---|---|---|")
        for column in table.columns:
            kind = column.type.__class__.__name__
            yield f"| `{column.name}` | {kind} | {'yes' if column.nullable else 'no'} |"
        names = ", ".join(sorted(str(index.name) for index in table.indexes))
        yield from ("", f"Indexes: primary key{', ' + names if names else ''}.", "")


def _causes() -> Iterator[str]:
    yield from ("## Causes", "", "| cause | category |", "|---|---|")
    for cause in CAUSES:
        yield f"| `{cause.name}` | {cause.category} |"
    yield ""


if __name__ == "__main__":
    REFERENCE.write_text(reference())
