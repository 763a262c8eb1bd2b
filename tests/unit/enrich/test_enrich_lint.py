"""What is wrong with a runbook, told before somebody needs it."""

from datetime import date
from pathlib import Path

import pytest

from tasks.diagnose.catalogue import CAUSES
from tasks.enrich import load_runbooks
from tasks.enrich.lint import RULES, lint

SHIPPED = Path(__file__).parents[3] / "runbooks"
TODAY = date(2026, 11, 23)
FRONT = "---\ntitle: Cart is slow\nowner: shop\n---\n"
ACTIONS = "## Actions\n- Drain the stale consumer.\n"
SOUND = FRONT + ACTIONS

FAULTS = [
    ("---\nalertname: [X]\n" + SOUND[4:], "unknown-key", None, "did you mean alertnames?"),
    ("---\ncolour: red\n" + SOUND[4:], "unknown-key", None, "there are title, owner"),
    (SOUND.replace("title: Cart is slow\n", ""), "no-title", None, "no title"),
    (SOUND.replace("owner: shop\n", ""), "no-owner", None, "no owner"),
    ("---\nreviewed: 2025-11-22\n" + SOUND[4:], "stale", None, "366 days ago"),
    ("---\nreviewed: last week\n" + SOUND[4:], "stale", None, "no date like"),
    (FRONT + "## Check\n- Look.\n", "no-actions", None, "what to do"),
    (FRONT + "# A\n## Check\n\n" + ACTIONS, "empty-section", 6, "'Check'"),
    (SOUND + "See [this](other.md).\n", "dead-link", 7, "other.md"),
    (SOUND + "See [this](../pay/late).\n", "dead-link", 7, "../pay/late"),
    (SOUND + "See [this](#nowhere).\n", "dead-link", 7, "#nowhere"),
    (SOUND + "Use password=hunter2hunter2 there.\n", "secret", 7, "[redacted:"),
    ("---\ntitle: [a\n---\nx", "unreadable", None, "not YAML"),
    (FRONT, "unreadable", None, "holds no text"),
]


@pytest.mark.parametrize(("text", "rule", "line", "told"), FAULTS)
def test_a_fault_is_told_with_its_place(text, rule, line, told):
    """By the rule's name, so that it can be looked up, and in words that say what to do."""
    (fault,) = lint("shop/cart", text, {"shop/cart", "pay/on-time"}, TODAY)

    assert (fault.rule, fault.line) == (rule, line)
    assert told in fault.message


def test_every_rule_has_its_fault():
    """No rule goes untested."""
    assert {rule for _, rule, _, _ in FAULTS} == {*RULES, "unreadable"}


@pytest.mark.parametrize(
    "more",
    [
        "See [that](../pay/late.md#actions), [this](#actions) and [all](https://example.com/x).\n",
        "```\n# no heading\n[no](link.md)\n```\n",
        "### Later\n#### Much later\nRest.\n",
        "Log in with password=${PASSWORD}, and `kubectl get secret NAME`.\n",
        "![graph](graph.png) [mail](mailto:shop@example.com)\n",
    ],
)
def test_a_sound_document_has_no_fault(more):
    """What is in code is no Markdown, what leads outside is not looked at, a parent may be bare."""
    text = SOUND.replace("owner:", "reviewed: 2026-01-01\nowner:") + more

    assert list(lint("shop/cart", text, {"shop/cart", "pay/late"}, TODAY)) == []


def test_the_shipped_runbooks_have_no_fault():
    """They are what teams begin with."""
    names = {path.stem for path in SHIPPED.glob("*.md")}

    faults = {
        path.name: list(lint(path.stem, path.read_text(), names, TODAY))
        for path in SHIPPED.glob("*.md")
    }

    assert names
    assert not any(faults.values()), faults


def test_every_cause_has_a_shipped_runbook():
    """Whatever is diagnosed, there is something to read; and no runbook names a cause wrongly."""
    named = {cause for runbook in load_runbooks(SHIPPED) for cause in runbook.causes}

    assert named == {cause.name for cause in CAUSES}


def test_shipped_runbooks_are_short_and_say_the_same_things():
    """Four headings in one order, and a risk with every action."""
    for runbook in load_runbooks(SHIPPED):
        headings = [chunk.heading for chunk in runbook.chunks]
        assert headings == ["Symptoms", "Check", "Actions", "Verify"], runbook.name
        assert all(
            action.startswith(("Low risk: ", "Medium risk: ", "High risk: "))
            for chunk in runbook.chunks
            for action in chunk.actions
        ), runbook.name
