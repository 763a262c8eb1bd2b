"""The file in which people write down who calls whom."""

from pathlib import Path

import pytest

from opssage.errors import SettingsError
from opssage.settings import load
from opssage.settings.topology import read_file, read_topology

EXAMPLE = Path(__file__).parents[3] / "examples" / "topology.yaml"


def read(folder: Path, text: str) -> list[list[str]]:
    path = folder / "topology.yaml"
    path.write_text(text)
    return read_topology(path).rows()


def test_a_service_lists_what_it_calls(tmp_path):
    """Each pair is an edge; what calls nobody needs no list."""
    text = "services:\n  shop/web: {calls: [shop/cart, mail]}\n  shop/cart: {calls: null}\n  db:\n"

    assert read(tmp_path, text) == [
        ["shop/web", "mail", "topology_file"],
        ["shop/web", "shop/cart", "topology_file"],
    ]


def test_a_service_has_an_owner_if_somebody_says_so(tmp_path):
    """By its name as it is written."""
    path = tmp_path / "topology.yaml"
    path.write_text("services:\n  shop/web: {owner: team-a}\n  db: {owner: null}\n  cart:\n")

    assert read_file(path).owners == {"shop/web": "team-a"}


def test_the_example_is_read():
    """It is what people begin with."""
    assert ["shop/web", "shop/cart", "topology_file"] in read_topology(EXAMPLE).rows()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("service: {}", "service: unknown key; did you mean services?"),
        ("services: {a: {cals: [b]}}", "services.a.cals: unknown key; did you mean calls?"),
        ("services: {a: {tier: 1}}", "services.a.tier: unknown key; known here: calls, owner"),
        ("services: {a: {owner: 7}}", "services.a.owner: is not a name of at most 128"),
        ('services: {a: {owner: "a\\tb"}}', "services.a.owner: is not a name of at most 128"),
        ("services: [a]", "services: is not a section; write services indented below it"),
        ("services:", "services: is not a section; write services indented below it"),
        ("{}", "services: is not a section; write services indented below it"),
        ("services: {a: b}", "services.a: is not a section; write `calls:` with a list"),
        ("services: {a: {calls: b}}", "services.a.calls: is not a list of services; for example"),
        ("services: {a: {calls: [b, 7]}}", "services.a.calls[1]: is not namespace/name"),
        ("services: {a: {calls: [b c]}}", "services.a.calls[0]: is not namespace/name"),
        ("services: {a/b/c: {}}", "services.a/b/c: is not namespace/name"),
        ("services: {7: {}}", "services.7: is not namespace/name"),
        ("services: {a: {}, a: {}}", "services.a: written twice, in lines 1 and 1; keep one"),
        ("- a", "is not a mapping"),
    ],
)
def test_a_fault_is_told_with_its_key(tmp_path, text, fault):
    """Each says what is wrong and how to mend it."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)

    told = f"sources.topology_file: topology.yaml: {fault}"
    assert any(each.startswith(told) for each in caught.value.faults)


def test_all_faults_are_told_at_once(tmp_path):
    """Nobody has to start three times."""
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "services: {a: {cals: []}, b: {calls: 1}}\nother: 1")

    assert len(caught.value.faults) == 3


def test_the_file_is_read_with_the_settings(tmp_path):
    """A fault in it stops the start, beside the other faults, and so does its absence."""
    config = tmp_path / "config.yaml"
    config.write_text("sources: {topology_file: ./calls.yaml}\nweb: {port: x}")

    with pytest.raises(SettingsError) as caught:
        load(config, {})

    port, topology = caught.value.faults
    assert port.startswith("web.port:")
    assert topology == (
        f"sources.topology_file: {tmp_path / 'calls.yaml'} is not a file; "
        "correct the path, or write null"
    )


def test_settings_with_a_good_file_load(tmp_path):
    """Its path starts at the folder of config.yaml."""
    (tmp_path / "calls.yaml").write_text("services: {a: {calls: [b]}}")
    config = tmp_path / "config.yaml"
    config.write_text("sources: {topology_file: calls.yaml}")

    assert load(config, {}).sources.topology_file == "calls.yaml"
