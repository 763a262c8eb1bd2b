"""Dockerfile and .dockerignore: what the image is made of."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def instructions():
    """Return (word, arguments) of each instruction, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", TEXT)
    lines = (line for line in joined.splitlines() if line and not line.startswith("#"))
    return [tuple(line.split(maxsplit=1)) for line in lines]


STEPS = instructions()
FINAL = STEPS[max(number for number, (word, _) in enumerate(STEPS) if word == "FROM") :]
COPIED = [
    source
    for word, arguments in STEPS
    if word == "COPY" and "--from" not in arguments
    for source in arguments.split()[:-1]
]


@pytest.mark.parametrize("source", COPIED)
def test_image_copies_what_exists_and_is_sent(source):
    """A file that is copied is there, and .dockerignore lets it through."""
    sent = (ROOT / ".dockerignore").read_text().splitlines()

    assert (ROOT / source).exists()
    assert f"!{source}" in sent


def test_image_holds_every_package_and_what_they_read():
    """The packages of the wheel, the runbooks, and the configuration of ours and of Alembic."""
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

    assert {*packages, "runbooks", "config.yaml", "pyproject.toml"} <= set(COPIED)


def test_only_what_is_copied_is_sent_to_the_builder():
    """Data, secrets and history stay outside by default."""
    sent = (ROOT / ".dockerignore").read_text().splitlines()

    assert [line for line in sent if not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]
    assert {line[1:] for line in sent if line.startswith("!")} == set(COPIED)


def test_image_is_based_on_the_projects_python():
    """One pinned base for both stages, of the oldest Python that the project supports."""
    base = next(arguments for word, arguments in STEPS if word == "ARG").partition("=")[2]
    stages = [arguments.split()[0] for word, arguments in STEPS if word == "FROM"]
    python = PROJECT["project"]["requires-python"].removeprefix(">=")

    assert base.startswith(f"python:{python}-slim")
    assert stages == ["${PYTHON_IMAGE}", "${PYTHON_IMAGE}"]


def test_image_installs_what_is_locked():
    """Every download is checked against a hash; nothing is resolved or fetched beside it."""
    installs = re.findall(r"pip --python \S+ install ([^&\n]*)", TEXT.replace("\\\n", ""))

    assert len(installs) == 2
    for options in installs:
        assert "--require-hashes" in options or {"--no-deps", "--no-build-isolation"} <= set(
            options.split()
        )


def test_image_runs_as_nobody_in_particular():
    """The processes have a user without rights, named by number for Kubernetes' sake."""
    assert ("USER", "10001:10001") in FINAL
    assert ("VOLUME", "/data") in FINAL


def test_image_is_healthy_when_the_web_lives():
    """The check asks the port that the image exposes."""
    check = next(arguments for word, arguments in FINAL if word == "HEALTHCHECK")

    assert ("EXPOSE", "8000") in FINAL
    assert "'127.0.0.1', 8000" in check
    assert "'/livez'" in check
