"""Configuration files that tell in their first comments what has to come of them.

`# env: NAME="value"` sets a variable, `# fault: …` is a fault in its exact words and place,
`# value: key.path = …` a value loaded, both as JSON.
"""

import json
import re
from functools import reduce
from pathlib import Path
from typing import NamedTuple

import pytest

from opssage.errors import SettingsError
from opssage.settings import load

GOLDEN = Path(__file__).parents[2] / "golden" / "config"
COMMENT = re.compile(r"^# (env|fault|value): (.*)$", re.MULTILINE)


class Expected(NamedTuple):
    environ: dict[str, str]
    faults: list[str]
    values: dict[str, object]


def expected(path: Path) -> Expected:
    told = Expected({}, [], {})
    for kind, text in COMMENT.findall(path.read_text()):
        if kind == "fault":
            told.faults.append(text)
        else:
            name, value = re.split(r" ?= ?", text, maxsplit=1)
            (told.environ if kind == "env" else told.values)[name] = json.loads(value)
    return told


def files(*, faulty: bool) -> list[str]:
    return [
        path.stem for path in sorted(GOLDEN.glob("*.yml")) if bool(expected(path).faults) == faulty
    ]


@pytest.mark.parametrize("name", files(faulty=True))
def test_faulty_file_is_refused_in_exact_words(name: str):
    """All faults of a file come together, each as `key.path: what is wrong; how to fix`."""
    path = GOLDEN / f"{name}.yml"

    with pytest.raises(SettingsError) as caught:
        load(path, expected(path).environ)

    assert caught.value.faults == expected(path).faults


@pytest.mark.parametrize("name", files(faulty=False))
def test_variables_become_the_values_they_hold(name: str):
    """A variable reaches its key verbatim, or converted to the kind of the key."""
    path = GOLDEN / f"{name}.yml"

    settings = load(path, expected(path).environ)

    loaded = {key: reduce(getattr, key.split("."), settings) for key in expected(path).values}
    assert loaded == expected(path).values
