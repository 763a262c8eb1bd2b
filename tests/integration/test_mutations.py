"""Tests of the tests: with a piece of the protocol taken out, one of them fails."""

import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest
from integration.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).parents[2]
COPIED = ("cli", "opssage", "store", "tasks", "tests", "webapi", "worker")
SPOILT = Path(__file__).with_name("spoilt.py")

WHOLE = "nothing"
"""The copy from which no piece is taken out."""


def mutated(folder: Path, mutation: Mutation | None) -> Path:
    """Copy the packages and their tests, and take the piece out."""
    for name in COPIED:
        copytree(ROOT / name, folder / name)
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for edit in mutation.edits if mutation else ():
        source = (folder / edit.file).read_text()
        assert source.count(edit.text) == 1, f"not once in {edit.file}: {edit.text}"
        (folder / edit.file).write_text(source.replace(edit.text, edit.becomes))
    return folder


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """How the tests ended, and what they said, by what was taken out."""
    folder = tmp_path_factory.mktemp("copies")
    all_tests = ",".join(sorted({mutation.test for mutation in MUTATIONS}))
    jobs = [(mutated(folder / WHOLE, None), all_tests)] + [
        (mutated(folder / f"{number}", mutation), mutation.test)
        for number, mutation in enumerate(MUTATIONS)
    ]
    run = subprocess.run(
        [sys.executable, SPOILT, *(str(word) for job in jobs for word in job)],
        # plug-ins that these tests do not use take longer to load than the tests
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        check=True,
    )
    said = [(copy / "output").read_text() for copy, _ in jobs]
    names = [WHOLE, *(mutation.name for mutation in MUTATIONS)]
    return dict(zip(names, zip(json.loads(run.stdout), said, strict=True), strict=True))


def test_nothing_is_missed_while_nothing_is_missing(ended):
    """The tests that the mutations are to fail pass without them."""
    code, said = ended[WHOLE]

    assert code == pytest.ExitCode.OK, said
    assert f"{len({mutation.test for mutation in MUTATIONS})} passed" in said


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_piece_taken_out_is_missed(ended, mutation):
    """Its test fails, and for this reason."""
    code, said = ended[mutation.name]

    assert code == pytest.ExitCode.TESTS_FAILED, said
    assert mutation.says in said, said
