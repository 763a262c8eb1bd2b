import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["up"]),
        (["--help"], ["up", "--help"]),
        (["--port", "8001"], ["up", "--port", "8001"]),
        (["my.yaml", "--postgres"], ["up", "--config=my.yaml", "--postgres"]),
    ],
)
def test_run_py_takes_a_file_and_the_options_of_up(arguments, words):
    """A first argument that is no option names the configuration."""
    script = runpy.run_path(str(ROOT / "run.py"))

    assert script["words"](arguments) == words
