"""Runs tests in copies of the packages: `COPY TEST[,TEST …] COPY TEST[,TEST …] …`.

Each copy has a process of its own, which writes to COPY/output and imports the packages of its
copy; what all of them need besides is imported once, before. Prints how each ended, as JSON.
"""

import json
import os
import sys
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import alembic.command
import orjson
import psycopg2
import pytest
import sqlalchemy.ext.compiler
import structlog
import uuid_utils

SHARED = (alembic, orjson, psycopg2, sqlalchemy, structlog, uuid_utils)
OURS = ("cli", "opssage", "store", "tasks", "webapi", "worker")


def run(copy: Path, tests: Sequence[str]) -> None:
    """Run tests of a copy, and exit as pytest does."""
    output = os.open(copy / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(copy)
    sys.path.insert(0, str(copy))
    ended = pytest.main(["-q", "-p", "pytest_timeout", "-p", "no:cacheprovider", *tests])
    for name in OURS:
        loaded = sys.modules.get(name)
        assert loaded is None or Path(loaded.__file__).is_relative_to(copy), loaded
    sys.exit(ended)


def run_all(jobs: Sequence[tuple[str, str]]) -> list[int]:
    """Run as many copies at a time as there are processors; returns how they ended."""
    fork = get_context("fork")
    children = [
        fork.Process(target=run, args=(Path(copy), tests.split(","))) for copy, tests in jobs
    ]
    at_once = os.cpu_count() or 1
    for start in range(0, len(children), at_once):
        for child in children[start : start + at_once]:
            child.start()
        for child in children[start : start + at_once]:
            child.join()
    return [child.exitcode or 0 for child in children]


if __name__ == "__main__":
    assert not sys.modules.keys() & set(OURS)
    json.dump(run_all(list(zip(sys.argv[1::2], sys.argv[2::2], strict=True))), sys.stdout)
