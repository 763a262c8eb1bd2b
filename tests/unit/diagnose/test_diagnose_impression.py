"""What the evidence alone suggests, before anything is known beside it."""

from unit.diagnose.evidence_factory import alert, context, crash_loop, diagnosed, log

from opssage.diagnosis import Impression
from opssage.wire import canonical, from_json, to_json
from tasks.diagnose import first_impression

ON_WEB = alert("TargetAlert", namespace="shop", service="web")
BAD_CONFIGURATION = (ON_WEB, *crash_loop("web"), log("web", "invalid value for key 'QUEUE_URL'"))


def test_an_impression_has_the_likeliest_cause_and_what_is_out_of_order():
    """The cause that a diagnosis of the same evidence will name."""
    suggested = first_impression(context(*BAD_CONFIGURATION))

    best = suggested.suspicions[0]
    assert (best.cause, best.category) == ("config_value_invalid", "configuration")
    assert best.component_kind == "service"
    assert {"log.config_invalid", "state.crash_loop"} <= set(suggested.signals)
    assert best.cause == diagnosed(*BAD_CONFIGURATION).hypotheses[0].cause


def test_an_alert_alone_suggests_nothing():
    """Neither that it fires nor that nothing else is seen is a sign of a cause."""
    assert first_impression(context(ON_WEB)) == Impression()


def test_an_impression_does_not_depend_on_the_order_of_evidence():
    """Nor on the way through the store."""
    there = context(*BAD_CONFIGURATION)
    back = context(*BAD_CONFIGURATION[::-1])
    stored = from_json(to_json(there), type(there))

    told = {canonical(to_json(first_impression(each))) for each in (there, back, stored)}

    assert len(told) == 1
