"""`opssage export`: an incident in a file."""

import json

import pytest

ID = "019a0000-0000-7000-8000-000000000001"


@pytest.fixture
def url(httpserver):
    """A door that has the bundle of one incident."""
    path = f"/api/v1/incidents/{ID}/bundle"
    httpserver.expect_request(path).respond_with_data(b"\x1f\x8bbundle")
    return httpserver.url_for("")


def test_export_writes_a_file_and_prints_its_path(opssage, url, tmp_path):
    """Named by the incident, for nobody else to read."""
    result = opssage("export", ID, "--url", url)

    (file,) = tmp_path.iterdir()
    assert (result.exit_code, result.stdout.strip()) == (0, file.name)
    assert file.name == f"opssage-{ID}.json.gz"
    assert file.read_bytes() == b"\x1f\x8bbundle"
    assert file.stat().st_mode & 0o077 == 0


def test_export_writes_over_nothing_unless_told(opssage, url, tmp_path):
    """The file that was there stays as it was."""
    file = tmp_path / "x.gz"
    file.write_text("mine")

    refused = opssage("export", ID, "--output", file, "--url", url)

    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert file.read_text() == "mine"
    told = opssage("export", ID, "--output", file, "--force", "--json", "--url", url)
    assert json.loads(told.stdout) == {"path": str(file), "bytes": 8}


def test_export_writes_to_standard_output(opssage, url, tmp_path):
    """For a pipe: nothing else is there."""
    result = opssage("export", ID, "--output", "-", "--url", url)

    assert result.stdout_bytes == b"\x1f\x8bbundle"
    assert list(tmp_path.iterdir()) == []


def test_export_that_cannot_write_leaves_nothing(opssage, url, tmp_path):
    """It says what is wrong with the place."""
    result = opssage("export", ID, "--output", tmp_path / "no" / "x.gz", "--url", url)

    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr


def test_export_tells_why_there_is_no_bundle(opssage, httpserver):
    """In the words of the server."""
    httpserver.expect_request(f"/api/v1/incidents/{ID}/bundle").respond_with_json(
        {"title": "Conflict", "status": 409, "detail": "nothing was recorded"}, 409
    )

    result = opssage("export", ID, "--url", httpserver.url_for(""))

    assert result.exit_code == 1
    assert "Conflict (409): nothing was recorded" in result.stderr
