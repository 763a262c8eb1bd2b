"""The alerting rules: parsed, and held against what /metrics really tells."""

import re
from pathlib import Path

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import MatchOp

from opssage import beats
from opssage.settings import load
from webapi.app import create_app

ROOT = Path(__file__).parents[2]
GROUPS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def selectors(expression):
    """Return all selectors of a PromQL expression."""
    found = []

    def look(node):
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), look)
    return found


def selected(selector, samples):
    """Return the samples that a selector with `=` and `=~` finds."""
    wanted = [
        (each.name, each.value if each.op == MatchOp.Re else re.escape(each.value))
        for each in selector.matchers.matchers
    ]
    return [
        sample
        for sample in samples
        if sample.name == selector.name
        and all(re.fullmatch(value, sample.labels.get(name, "")) for name, value in wanted)
    ]


@pytest.fixture
def samples(client, store):
    """What /metrics tells after a request, and a sign of life of every part."""
    client.post("/api/v1/alerts", json={"alert_name": "A"})
    for name in beats.KNOWN:
        store.beat(name)
    text = client.get("/metrics").get_data(as_text=True)
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


@pytest.fixture
def client(store):
    """A client of an app on an empty database."""
    return create_app(load(environ={}), store, lambda: None, {}).test_client()


@each_rule
def test_rules_ask_for_series_there_are(rule, samples):
    """A metric or label that is renamed, or misspelt here, would silence the alert."""
    found = {str(selector): selected(selector, samples) for selector in selectors(rule["expr"])}

    assert found != {}
    assert [text for text, series in found.items() if not series] == []


@each_rule
def test_rules_say_what_is_wrong_and_where_to_read_on(rule):
    """Summary, description, severity, and a runbook that has a heading for it."""
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)

    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


def test_rules_watch_every_door_of_alerts(client, samples):
    """A new ingest route is watched without a change of the rules."""
    rules = client.application.url_map.iter_rules()
    doors = {rule.rule for rule in rules if rule.endpoint.startswith("alerts.")}
    refusals, *_ = selectors(next(r["expr"] for r in RULES if r["alert"] == "OpsSageRefusesAlerts"))

    watched = {sample.labels["route"] for sample in selected(refusals, samples)}

    assert doors <= watched
