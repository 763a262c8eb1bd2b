"""`opssage feedback`: somebody judges a diagnosis."""

import json

ID = "019a0000-0000-7000-8000-000000000001"


def test_feedback_posts_what_is_said(opssage, httpserver):
    """Only what was said is sent; --json shows what is kept."""
    said = {"verdict": "rejected", "root_cause": "a full disk"}
    httpserver.expect_request(
        f"/api/v1/incidents/{ID}/feedback", method="POST", json=said
    ).respond_with_json({"feedback_id": 1, **said}, 201)
    words = ("feedback", ID, "rejected", "--root-cause", "a full disk")

    result = opssage(*words, "--json", "--url", httpserver.url_for(""))

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"feedback_id": 1, **said}
    told = opssage(*words, "--url", httpserver.url_for("")).stderr
    assert told == f"the diagnosis of incident {ID} is rejected\n"


def test_feedback_knows_two_verdicts(opssage):
    """A wrong use names them."""
    result = opssage("feedback", ID, "wrong")

    assert result.exit_code == 2
    assert "'confirmed', 'rejected'" in result.stderr
