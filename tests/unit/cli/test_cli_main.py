import json

import pytest
from click.testing import CliRunner

from cli.main import main


def test_help_names_every_command_and_the_exit_codes():
    """One page tells what there is."""
    said = CliRunner().invoke(main, ["--help"]).stdout

    for name in (
        "up",
        "demo",
        "send",
        "incidents",
        "show",
        "watch",
        "ack",
        "retry",
        "alerts",
        "token",
        "check-config",
        "rejects",
        "archive",
        "prune",
        "backup",
    ):
        assert f"\n  {name} " in said
    assert "\n  doctor " in said
    assert "Exit codes" in said


def test_unknown_command_is_a_wrong_use():
    """Exit code 2, as click has it."""
    assert CliRunner().invoke(main, ["investigate"]).exit_code == 2


def test_check_config_tells_all_faults(opssage, tmp_path):
    """Every fault of the file, on stdout, with exit code 3."""
    file = tmp_path / "bad.yaml"
    file.write_text("web: {port: many}\nbrokker: {}\n")

    result = opssage("check-config", file)

    assert result.exit_code == 3
    assert "web.port" in result.stdout
    assert "brokker" in result.stdout


def test_check_config_as_json_lists_the_faults(opssage, tmp_path):
    """--json keeps them apart."""
    file = tmp_path / "bad.yaml"
    file.write_text("web: {port: many}\nbrokker: {}\n")

    answer = json.loads(opssage("check-config", file, "--json").stdout)

    assert answer["ok"] is False
    assert len(answer["faults"]) == 2


def test_check_config_shows_settings_without_secrets(opssage, tmp_path):
    """--show prints what is in effect; the token and the password stay hidden."""
    (tmp_path / "config.yaml").write_text(
        "database: {url: 'postgresql://ada:lovelace@db/opssage'}\n"
        "auth: {mode: token, token: sesame-sesame-sesame-sesame-0123}\n"
    )

    result = opssage("check-config", "--show")

    assert result.exit_code == 0, result.output
    assert "port: 8000" in result.stdout
    assert "lovelace" not in result.stdout
    assert "sesame" not in result.stdout


def test_check_config_names_the_file_that_is_in_order(opssage, tmp_path):
    """Nothing on stdout, a word on stderr, whichever way the file was chosen."""
    (tmp_path / "config.yaml").write_text("{}")
    (tmp_path / "other.yaml").write_text("{}")

    for result, name in (
        (opssage("check-config"), "config.yaml"),
        (opssage("check-config", "other.yaml"), "other.yaml"),
        (opssage("check-config", env={"OPSSAGE_CONFIG": "other.yaml"}), "other.yaml"),
    ):
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"{name} is in order\n"


def test_check_config_says_when_there_is_no_file(opssage, tmp_path):
    """What was looked at are the defaults."""
    result = opssage("check-config")

    assert result.exit_code == 0
    assert result.stderr == (
        f"there is no {tmp_path}/config.yaml; the defaults and the environment are in order\n"
    )


def test_a_faulty_configuration_stops_every_command(opssage, tmp_path):
    """Exit code 3 and the fault, whatever the command."""
    (tmp_path / "config.yaml").write_text("web: {port: many}\n")

    result = opssage("incidents")

    assert result.exit_code == 3
    assert "web.port" in result.stderr


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("prometheus: {url: 'https://p', ca_file: none.pem}", "prometheus.ca_file"),
        ("loki: {url: 'https://l', cert_file: none.pem}", "loki.cert_file"),
        ("kubernetes: {config: none}", "kubernetes.config"),
        ("kubernetes: {config: in-cluster}", "kubernetes.config"),
    ],
)
def test_check_config_reads_the_files_that_sources_name(opssage, tmp_path, written, key):
    """What cannot be used is told before an incident needs it."""
    (tmp_path / "config.yaml").write_text(f"sources:\n  {written}\n")

    result = opssage("check-config")

    assert result.exit_code == 3
    assert result.stdout.startswith(f"sources.{key}: ")
