"""`opssage coverage`."""

import json

import pytest
from click.testing import CliRunner

from cli.exits import Exit
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


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("groups: &a [*a]", "aliases are not read"),
        ("a: &a [x]\nb: {<<: [*a, *a]}", "aliases are not read"),
        ("[" * 5000, "nested too deep"),
        ("groups: [{alert: A, expr: u, since: 2001-99-99}]", "neither JSON nor YAML"),
    ],
    ids=["itself", "merged", "deep", "no date"],
)
def test_coverage_refuses_rules_that_unfold(tmp_path, text, why):
    """A few lines may stand for more than memory holds."""
    result = run(tmp_path, text)

    assert why in " ".join(result.stderr.split())
    assert result.exit_code == Exit.USAGE


def test_coverage_reads_rules_however_deep_they_are(tmp_path):
    """Nobody wraps them so, and nothing breaks."""
    rules = '{"alert": "A", "expr": "up"}'

    result = run(tmp_path, "[" * 900 + rules + "]" * 900, "--json", name="rules.json")

    assert [rule["name"] for rule in json.loads(result.stdout)["rules"]] == ["A"]


def group(*rules):
    """A file with one group."""
    return json.dumps({"groups": [{"name": "shop", "rules": list(rules)}]})


GOOD = {"alert": "Good", "expr": "up == 0"}


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({**GOOD, "labels": ["a"]}, "rule 2 (Good): labels: ['a'] is not a section"),
        ({**GOOD, "labels": {"a": {}}}, "rule 2 (Good): labels.a: is not a text"),
        ({"alert": "A", "exp": "up"}, "rule 2 (A): expr: missing; is exp meant to be expr?"),
        ({"alrt": "A", "expr": "up"}, "rule 2: alert: missing; is alrt meant to be alert?"),
        ({**GOOD, "for": "banana"}, "rule 2 (Good): for: 'banana' is not a duration"),
        ({**GOOD, "expr": ["up"]}, "rule 2 (Good): expr: is not an expression"),
        ("up == 0", "rule 2: is not a rule"),
    ],
)
def test_coverage_names_the_field_of_a_malformed_rule(tmp_path, rule, fault):
    """With its group and place, and nothing counts as covered."""
    result = run(tmp_path, group(GOOD, rule))

    assert f"group shop, {fault}" in result.stderr
    assert (result.exit_code, result.stdout) == (Exit.USAGE, "")


def test_coverage_tells_all_faults_at_once(tmp_path):
    """Nobody mends a file one fault at a time."""
    result = run(tmp_path, group({"alert": "A"}, {"expr": "up"}))

    assert "rule 1 (A): expr: missing" in result.stderr
    assert "rule 2: alert: missing" in result.stderr


def test_coverage_does_not_count_what_cannot_be_read(tmp_path):
    """A rule that no Prometheus evaluates never fires."""
    result = run(tmp_path, group(GOOD, {"alert": "Bad", "expr": "sum(rate(foo[5m]) >"}))

    assert "the expression of Bad cannot be read: " in result.stderr
    assert "1 of 2 rules have a plan" in result.stderr
    assert result.exit_code == Exit.FAILURE


def test_coverage_tells_keys_that_no_rule_has(tmp_path):
    """Once each, however many rules have it."""
    result = run(tmp_path, group({**GOOD, "summary": "x"}, {**GOOD, "summary": "y"}))

    assert "unknown key summary: group shop, rule 1 (Good) and 1 more" in result.stderr
    assert result.exit_code == Exit.OK


def test_coverage_tells_what_it_leaves_out(tmp_path):
    """A list may hold more than rules."""
    result = run(tmp_path, json.dumps([{"name": "A", "expr": "up"}, {"name": "note"}, 7]))

    assert "left out, for they are no rules: entry 2 (note) and 1 more" in result.stderr
