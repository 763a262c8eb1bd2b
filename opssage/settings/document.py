"""A configuration file as a document, with what is wrong before any key is looked at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from opssage.errors import SettingsError
from opssage.redaction import redact_text


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the document in a YAML file and the faults that leave it readable.

    Of a key written twice the last value counts. Raises SettingsError when there is no file or
    no mapping in it.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise SettingsError(
            [f"{path}: no such file; correct the path in --config or OPSSAGE_CONFIG"]
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path.name}: is not UTF-8 text; save it as UTF-8"]) from error
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror}; make it a readable file"]) from error
    return _parse(text, path.name)


def _parse(text: str, name: str) -> tuple[dict[str, Any], list[str]]:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        document = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise SettingsError([_syntax_fault(error, name)]) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = redact_text(" ".join(str(error).split()))
        raise SettingsError([f"{name}: {reason}; write it as plain YAML"]) from error
    if node is None or document is None:
        return {}, []
    if not isinstance(document, dict):
        raise SettingsError(
            [f"{name}: is not a mapping; write sections such as `web:` with keys indented below"]
        )
    return document, list(_written_twice(node, set()))


def _syntax_fault(error: yaml.MarkedYAMLError, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
    reason = redact_text(error.problem or error.context or "not YAML")
    return f"{place}: {reason}; check the quotes and the indentation there"


def _written_twice(node: yaml.Node, seen: set[int], *at: str) -> Iterator[str]:
    """Look at each node once, by whichever aliases it is reached: it may even hold itself."""
    if not isinstance(node, yaml.MappingNode) or id(node) in seen:
        return
    seen.add(id(node))
    lines: dict[tuple[str, ...], int] = {}
    for key, value in node.value:
        path, line = (*at, str(key.value)), key.start_mark.line + 1
        if path in lines:
            yield f"{'.'.join(path)}: written twice, in lines {lines[path]} and {line}; keep one"
        lines[path] = line
        yield from _written_twice(value, seen, *path)
