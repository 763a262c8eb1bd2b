import pytest

from cli import running
from cli.exits import CommandError


def test_two_stacks_do_not_share_a_data_folder(tmp_path):
    """The second is told to choose another folder."""
    told = pytest.raises(CommandError, match="--data")

    with running.claimed(tmp_path), told, running.claimed(tmp_path):
        pass


def test_other_commands_find_the_settings_of_a_running_stack(tmp_path):
    """They are for the owner's eyes only."""
    with running.claimed(tmp_path):
        running.announce(tmp_path, {"OPSSAGE_PORT": "8001"})

        assert running.environment(tmp_path) == {"OPSSAGE_PORT": "8001"}
        assert (tmp_path / "up.json").stat().st_mode & 0o777 == 0o600


def test_a_stack_that_has_ended_leaves_no_settings(tmp_path):
    """The folder is free for the next one."""
    with running.claimed(tmp_path):
        running.announce(tmp_path, {"OPSSAGE_PORT": "8001"})

    assert running.environment(tmp_path) == {}
    with running.claimed(tmp_path):
        assert running.environment(tmp_path) == {}


def test_settings_of_a_killed_stack_do_not_count(tmp_path):
    """Nobody holds the folder, so the file is stale."""
    running.announce(tmp_path, {"OPSSAGE_PORT": "8001"})

    assert running.environment(tmp_path) == {}


def test_a_folder_without_a_stack_has_no_settings(tmp_path):
    """Nothing is made by looking."""
    assert running.environment(tmp_path / "data") == {}
    assert not (tmp_path / "data").exists()
