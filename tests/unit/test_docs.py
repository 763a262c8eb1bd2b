"""The documents say what the code does: generated parts are fresh, and named things exist."""

import importlib.util
import re
from importlib import import_module
from pathlib import Path

import click
import pytest

from cli.main import main
from opssage.settings import load
from webapi.app import create_app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").glob("*.md")]


def test_the_reference_is_fresh():
    """`make docs` would change nothing."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)

    assert generate.REFERENCE.read_text() == generate.reference()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    """A relative link names a file that is there."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page):
    """`opssage …` and `make …` in a document are commands there are."""
    text = page.read_text()
    named = set(re.findall(r"(?:^|[`/ ])opssage ([a-z][a-z-]+)", text)) - {"is", "and"}
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)\b", text, re.MULTILINE))
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert named - set(main.list_commands(click.Context(main))) == set()
    assert targets - made == set()


def test_addresses_in_the_readme_are_routes():
    """What the README asks with curl is a route of the app."""
    text = (ROOT / "README.md").read_text().replace("INCIDENT_ID", "x")
    paths = set(re.findall(r"localhost:8000(/[\w/-]+)", text))
    app = create_app(load(environ={}), None, None, {})
    rules = {re.sub(r"<[^>]+>", "x", rule.rule) for rule in app.url_map.iter_rules()}

    assert paths - rules == set()
    assert len(paths) >= 8


def test_the_glossary_names_classes_there_are():
    """A word with a class is found where the glossary says."""
    text = (ROOT / "docs" / "glossary.md").read_text()

    for dotted in re.findall(r"\| `([\w.]+)` \|$", text, re.MULTILINE):
        module, name = dotted.rsplit(".", 1)
        assert hasattr(import_module(module), name), dotted
