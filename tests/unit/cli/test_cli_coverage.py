"""`opssage coverage`."""

import json

import pytest
from click.testing import CliRunner

from cli.main import main

RULES = """
groups:
  - name: shop
    rules:
      - alert: PodRestarts
        expr: increase(kube_pod_container_status_restarts_total[5m]) > 3
        labels: {severity: warning}
      - record: job:errors
        expr: sum by (job) (errors_total)
      - alert: TooManyRequests
        expr: sum(requests_total) > 9
"""


def run(tmp_path, text, *options, name="rules.yaml"):
    file = tmp_path / name
    file.write_text(text)
    return CliRunner().invoke(main, ["coverage", "--rules", str(file), *options])


def test_coverage_lists_every_alert(tmp_path):
    """A line for each, and a summary that is no data."""
    result = run(tmp_path, RULES)

    names = [line.split("\t")[:2] for line in result.stdout.splitlines()]
    assert names == [["PodRestarts", "namespace pod"], ["TooManyRequests", "cluster"]]
    assert "2 of 2 rules have a plan; 1 name no place" in result.stderr
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "PrometheusRule", "spec": {"groups": [{"rules": [{"alert": "A", "expr": "up"}]}]}},
        {
            "kind": "List",
            "items": [{"spec": {"groups": [{"rules": [{"alert": "A", "expr": "u"}]}]}}],
        },
        [{"name": "A", "expr": "up == 0", "labels": {"severity": "info"}}],
    ],
    ids=["manifest", "list of manifests", "plain list"],
)
def test_coverage_reads_rules_in_any_wrapping(tmp_path, document):
    """Manifests and lists hold the same rules."""
    result = run(tmp_path, json.dumps(document), "--json", name="rules.json")

    (rule,) = json.loads(result.stdout)["rules"]
    assert (rule["name"], rule["has_plan"]) == ("A", True)
    assert rule["sources"]["prometheus"]["queries"] > 1


def test_coverage_is_written_as_a_table(tmp_path):
    """Names and words only: no expression is copied."""
    result = run(tmp_path, RULES, "--markdown")

    head, rule, *rows = result.stdout.splitlines()
    assert head.startswith("| alert | places |")
    assert set(rule) == {"|", "-"}
    assert [row.split(" | ")[0] for row in rows] == ["| PodRestarts", "| TooManyRequests"]
    assert "> 3" not in result.stdout


@pytest.mark.parametrize("text", ["", "a: [", "groups: []", "[1, 2]"])
def test_coverage_of_no_rules_is_an_error(tmp_path, text):
    """A wrong file must not look like full coverage."""
    result = run(tmp_path, text)

    assert result.exception is not None
    assert result.exit_code != 0
