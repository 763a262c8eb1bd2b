"""`opssage replay`: a bundle is diagnosed again and compared, or served."""

import json
import os

import httpx2
import pytest
from factories import NOON, alert
from recorded import INCIDENT_ID, investigated

from cli import answers
from opssage.settings import load
from tasks import bundle

SITE = {"PROMETHEUS_URL": "http://prometheus", "OPSSAGE_KUBECONFIG": "kubeconfig"}


@pytest.fixture
def write(tmp_path):
    """Write a bundle of an investigation without sources; changes are of its diagnosis."""

    def write(**changes):
        file = tmp_path / "incident.json.gz"
        file.write_bytes(investigated([alert()], NOON, load(environ={}), **changes))
        return file

    return write


def test_replay_shows_the_diagnosis_and_that_it_is_the_same(opssage, write):
    """As `opssage show` does, with a line below it."""
    result = opssage("replay", write())

    assert result.exit_code == 0, result.output
    assert "HighErrorRate" in result.stdout
    assert "not enough evidence" in result.stdout
    assert result.stdout.endswith(
        "The diagnosis is the recorded one, byte for byte, on the same evidence.\n"
    )


def test_replay_shows_in_what_the_diagnosis_differs(opssage, write):
    """A diff of the keys that do, and no others; scripts see it by the exit code."""
    result = opssage("replay", write(root_cause="The moon"))

    assert result.exit_code == 1
    assert "The diagnosis differs from the recorded one, on the same evidence:" in result.stdout
    assert "--- recorded/root_cause\n+++ replayed/root_cause\n" in result.stdout
    assert '-"The moon"' in result.stdout
    assert "recorded/verdict" not in result.stdout


def test_replay_answers_in_json(opssage, write):
    """Both documents, and under which keys they differ."""
    result = opssage("replay", write(category="moon"), "--json")

    told = json.loads(result.stdout)
    assert (result.exit_code, told["same"], told["incident_id"]) == (1, False, INCIDENT_ID)
    assert told["differing"] == {"diagnostic_report": ["category"], "primary_context": []}
    assert told["diagnostic_report"]["verdict"] == "insufficient_evidence"
    assert told["primary_context"]["sources"]


def test_replay_reads_standard_input(opssage, write):
    """`opssage export ID --output - | opssage replay -`."""
    result = opssage("replay", "-", input=write().read_bytes())

    assert result.exit_code == 0, result.output


def test_replay_refuses_what_is_no_bundle(opssage, write, tmp_path):
    """With 2, which no difference ends with."""
    torn = tmp_path / "torn.gz"
    torn.write_bytes(write().read_bytes()[:-50])

    for file, told in ((torn, "cut off"), (tmp_path / "none.gz", "does not exist")):
        result = opssage("replay", file)
        assert result.exit_code == 2
        assert told in result.stderr


def test_replay_refuses_a_bundle_that_nothing_can_be_made_of(opssage, tmp_path):
    """It has the form of one; what stands in it makes no sense."""
    content = investigated([alert()], NOON, load(environ={}))
    document = json.loads(bundle.gzip.decompress(content))
    document["recording"]["now"] = "0001-01-01T00:00:00Z"
    document["recording"]["alerts"][0]["starts_at"] = "0001-01-01T00:00:00Z"
    file = tmp_path / "old.gz"
    file.write_bytes(bundle.gzip.compress(json.dumps(document).encode()))

    result = opssage("replay", file)

    assert result.exit_code == 2
    assert "cannot be replayed: OverflowError" in result.stderr


@pytest.fixture
def served():
    """The answers of a Prometheus and a Kubernetes, served."""
    found = {"status": "success", "data": {"resultType": "vector", "result": []}}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=found))
    read = bundle.read(investigated([alert()], NOON, load(environ=SITE), transport))
    server = answers.start(read.recording)
    yield read.recording, server
    server.stop()


def test_served_answers_are_the_recorded_ones(served):
    """A question is told by its form, whoever asks it; anything else is refused by its name."""
    recording, server = served
    asked = next(each.request for each in recording.exchanges if each.request.method == "POST")
    there = f"{server.url}/{asked.source}{asked.path}"

    answer = httpx2.post(there, data={**asked.params, "timeout": "1ms"})
    other = httpx2.post(there, data={"query": "up"})
    nowhere = httpx2.get(f"{server.url}/jaeger/api/traces")

    assert answer.json()["status"] == "success"
    assert (other.status_code, nowhere.status_code) == (422, 404)
    assert "not recorded: POST /api/v1/query" in other.json()["error"]
    assert "query=up" in other.json()["error"]


def test_serving_tells_the_environment_that_leads_there(served, tmp_path):
    """For the sources that were asked then; a cluster by a kubeconfig."""
    recording, server = served

    lines = list(answers.environment(recording.settings, server.url, tmp_path))

    assert lines == [
        f"PROMETHEUS_URL={server.url}/prometheus",
        f"OPSSAGE_KUBECONFIG={tmp_path / 'kubeconfig'}",
    ]
    assert f"server: {server.url}/kubernetes" in (tmp_path / "kubeconfig").read_text()
    assert "PROMETHEUS_URL" not in os.environ


def test_serving_answers_only_those_who_ask_for_this_machine(served):
    """A web page whose name was pointed here must not read the recording."""
    _, server = served

    answer = httpx2.get(f"{server.url}/prometheus/api/v1/query", headers={"Host": "evil.example"})

    assert answer.status_code == 403
