from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opssage.evidence import (
    AffectedComponents,
    AlertMetadata,
    Evidence,
    EvidenceCollected,
    EvidenceKind,
    PreliminaryAnalysis,
    PrimaryContext,
    SourceReport,
    SourceStatus,
    Window,
)
from opssage.knowledge import EnhancedContext
from opssage.wire import canonical, format_time, from_json, parse_time, to_json

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = Window(start=NOON - timedelta(hours=1), end=NOON, onset=NOON - timedelta(minutes=5))


def context() -> PrimaryContext:
    evidence = Evidence(
        kind=EvidenceKind.METRIC,
        source="prometheus",
        summary="restarts rose",
        observed_at=NOON,
        subject={"pod": "checkout-1"},
        window=WINDOW,
        data={"points": [[1, None], [2, 0.5]]},
        evidence_id="E1",
    )
    return PrimaryContext(
        alert_metadata=AlertMetadata(
            alert_name="Down", severity="critical", firing_condition="up == 0", trigger_time=NOON
        ),
        affected_components=AffectedComponents(pod="checkout-1"),
        evidence_collected=EvidenceCollected.by_kind([evidence]),
        preliminary_analysis=PreliminaryAnalysis(observations=("restarts rose",)),
        window=WINDOW,
        alert_seq=3,
        sources=(SourceReport(source="loki", status=SourceStatus.NOT_CONFIGURED),),
    )


def test_context_survives_the_way_through_json():
    """What one stage stores, the next one reads unchanged."""
    assert from_json(to_json(context()), PrimaryContext) == context()


def test_topology_survives_the_way_through_json():
    """A mapping to tuples comes back as one."""
    enhanced = EnhancedContext(topology={"checkout": ("auth", "orders")})

    assert from_json(to_json(enhanced), EnhancedContext) == enhanced


def test_json_is_plain():
    """Enums are their words, tuples lists, times text."""
    document = to_json(context())

    assert document["evidence_collected"]["metrics"][0]["kind"] == "metric"
    assert document["preliminary_analysis"]["observations"] == ["restarts rose"]
    assert document["window"]["end"] == "2026-11-23T12:00:00.000000Z"


def test_unknown_key_is_ignored():
    """A document written by a later version can be read."""
    document = {**to_json(EnhancedContext()), "added_later": 1}

    assert from_json(document, EnhancedContext) == EnhancedContext()


@given(st.integers(0, 2**48).map(lambda past: NOON - timedelta(microseconds=past)))
def test_time_survives_the_way_through_text(moment: datetime):
    """To the microsecond."""
    assert parse_time(format_time(moment)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00",
        "2026-11-23T14:00:00+02:00",
        "2026-11-23T12:00:00.000000499Z",
    ],
)
def test_time_is_read_as_utc(text: str):
    """Offsets are applied, a missing one is UTC, nanoseconds are cut."""
    assert parse_time(text) == NOON
    assert parse_time(text).tzinfo is UTC


def test_time_is_written_in_utc():
    """Whatever the zone of a moment, its text ends with Z."""
    moment = datetime(2026, 11, 23, 14, tzinfo=timezone(timedelta(hours=2)))

    assert format_time(moment) == "2026-11-23T12:00:00.000000Z"


def test_text_that_is_no_time_is_refused():
    """ValueError, for the door to name the field."""
    with pytest.raises(ValueError, match="yesterday"):
        parse_time("yesterday")


def test_canonical_form_ignores_order_and_noise():
    """Two equal documents have the same bytes: keys sorted, floats to six decimals."""
    one = canonical({"b": 0.1 + 0.2, "a": [{"y": (1, 2), "x": None}]})

    assert one == canonical({"a": [{"x": None, "y": [1, 2]}], "b": 0.30000000000000001})
    assert one == b'{"a":[{"x":null,"y":[1,2]}],"b":0.3}'


@pytest.mark.parametrize(("written", "read"), [(-0.0, 0.0), (3e16, 30_000_000_000_000_000)])
def test_canonical_form_is_the_same_before_and_after_postgresql(written, read):
    """A column of JSONB gives some numbers back in another form."""
    assert canonical({"a": written}) == canonical({"a": read})


@dataclass(frozen=True, kw_only=True)
class Many:
    kinds: dict[str, tuple[EvidenceKind, ...]] = field(default_factory=dict)


def test_word_of_an_enum_is_checked_on_reading():
    """A word that is none is an error, not a silent text."""
    with pytest.raises(Exception, match="structuring Many"):
        from_json({"kinds": {"a": ["rumour"]}}, Many)
