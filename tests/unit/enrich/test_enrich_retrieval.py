"""Finding the passages that fit."""

from pathlib import Path

import pytest

from tasks.enrich import Shelf, load_runbooks
from tasks.enrich.index import Index
from tasks.enrich.retrieval import BESIDE_BEST, FLOOR, PER_RUNBOOK, rank
from tasks.enrich.symptoms import Symptoms

SHIPPED = load_runbooks(Path(__file__).parents[3] / "runbooks")


def symptoms(alert_name, *sentences, service="checkout", **more):
    """Return symptoms of one alert."""
    return Symptoms(
        alert_names=(alert_name,),
        services=(service,),
        namespace="shop",
        sentences=sentences,
        **more,
    )


def retrieve(runbooks, asked, limit):
    """Return the passages of some runbooks that fit."""
    return Shelf(runbooks=tuple(runbooks)).retrieve(asked, limit=limit)


def names(passages):
    """Return the ids of passages in order."""
    return [passage.chunk.source_id for passage in passages]


@pytest.mark.parametrize(
    ("expected", "alert_name", "sentence"),
    [
        ("crash-loop", "PodDown", "CrashLoopBackOff, restarts rose from 0 to 6, exit code 1"),
        ("config-error", "DeploymentDown", "missing required environment variable <*>"),
        ("out-of-memory", "ServiceDown", "container terminated with reason OOMKilled"),
        ("cpu-exhaustion", "HighCpuLoad", "cpu usage of the node rose to 98 %, pods are throttled"),
        ("disk-pressure", "WriteFailed", "could not extend file <*>: No space left on device"),
        ("dependency-unreachable", "Http5xx", "upstream timeout: connection refused"),
        ("bad-deploy", "HighErrorRate", "errors rose 90 s after a rollout of a new version"),
        ("certificate-expired", "ProbeFailed", "x509: certificate has expired"),
        ("image-pull", "PodPending", "ImagePullBackOff"),
        ("connection-pool", "HighLatency", "QueuePool limit of size <*> overflow <*> reached"),
        ("dns", "HighErrorRate", "lookup payments on <*>: no such host"),
        ("node-not-ready", "NodeDown", "node condition Ready is Unknown, the kubelet is silent"),
    ],
)
def test_the_fitting_shipped_runbook_comes_first(expected, alert_name, sentence):
    """Each failure class finds its runbook by its symptoms alone."""
    best, *_ = retrieve(SHIPPED, symptoms(alert_name, sentence), limit=5)

    assert best.runbook.name == expected


@pytest.mark.parametrize(
    ("alert_name", "sentence"),
    [
        ("Watchdog", "This alert always fires to show that alerting works."),
        ("KafkaConsumerLag", "lag of group <*> on topic <*> is growing"),
        ("LowConversion", "Conversion fell below 2 percent of last week"),
        ("TestAlert", ""),
    ],
)
def test_nothing_is_shown_when_nothing_fits(alert_name, sentence):
    """A few common words in common are below the floor."""
    assert retrieve(SHIPPED, symptoms(alert_name, sentence), limit=5) == ()


def test_an_exact_alert_name_is_enough(runbook):
    """The team wrote this runbook for this alert, whatever its words."""
    mine = runbook("mine", alertnames="[QuotaAlmostGone]", body="Ask Kim.")

    (passage,) = retrieve([mine, *SHIPPED], symptoms("QuotaAlmostGone"), limit=5)

    assert passage.chunk.source_id == "mine"
    assert passage.relevance > 0.5


def test_a_matching_service_ranks_before_the_same_text(runbook):
    """Between equal texts the runbook of the alert's own service comes first."""
    text = "The queue is stuck: drain the stale consumer."
    others = runbook("a", text, services="[billing]")
    own = runbook("b", text, services="[checkout]")

    found = retrieve(
        [others, own, *SHIPPED], symptoms("QueueStuck", "stale consumer, queue"), limit=5
    )

    assert names(found)[:2] == ["b", "a"]


def test_a_matching_service_alone_is_not_enough(runbook):
    """A service has many faults; its name does not make a passage fit."""
    own = runbook("own", "Rotate the signing key.", services="[checkout]")

    assert retrieve([own, *SHIPPED], symptoms("QueueStuck"), limit=5) == ()


def test_equally_good_passages_come_in_order_of_their_id(runbook):
    """Ties do not depend on the order of loading."""
    twins = [runbook(name, "Drain the stale consumer.") for name in ("b", "a", "c")]

    found = retrieve([*twins, *SHIPPED], symptoms("ConsumerStale", "drain it"), limit=5)

    assert names(found) == ["a", "b", "c"]
    assert len({passage.relevance for passage in found}) == 1


def test_one_runbook_does_not_fill_the_answer(runbook):
    """Room is left for others."""
    body = "\n".join(f"# Part {number}\nDrain the stale consumer." for number in range(6))
    books = [
        runbook("long", body),
        *(runbook(name, "Drain the stale consumer.") for name in "abcd"),
    ]

    found = retrieve([*books, *SHIPPED], symptoms("ConsumerStale", "drain"), limit=9)

    shown = [passage.runbook.name for passage in found]
    assert shown.count("long") == PER_RUNBOOK
    assert {"a", "b", "c", "d"} <= set(shown)


def test_no_more_passages_than_asked_for_are_shown(runbook):
    """The best ones are kept."""
    books = [runbook(name, "Drain the stale consumer.") for name in "abcd"]

    found = retrieve([*books, *SHIPPED], symptoms("ConsumerStale", "drain"), limit=3)

    assert names(found) == ["a", "b", "c"]


def test_weak_passages_beside_a_strong_one_are_left_out():
    """What is shown is near the best in relevance and above the floor."""
    found = retrieve(
        SHIPPED, symptoms("KubePodCrashLooping", "crash loop, restarts, memory, image"), limit=5
    )

    assert all(each.relevance >= found[0].relevance * BESIDE_BEST for each in found)
    assert FLOOR <= found[-1].relevance <= found[0].relevance <= 1


@pytest.mark.parametrize("books", [(), None])
def test_without_runbooks_nothing_is_found(books, runbook):
    """No runbooks, or runbooks whose text has no words, are no error."""
    wordless = (runbook("...", "?!"),)

    assert retrieve(wordless if books is None else books, symptoms("Any"), limit=5) == ()


def test_the_runbook_of_the_suspected_cause_comes_first(runbook, impression):
    """The evidence suggests a cause, and a runbook says that it is about that one."""
    books = [runbook("a", "Look at it."), runbook("b", "Look at it.", causes="[parcel_lost]")]
    suspected = impression(parcel_lost=("volumes", "pod", 0.9))

    found = retrieve([*books, *SHIPPED], symptoms("Any", impression=suspected), limit=1)

    assert names(found) == ["b"]


def test_a_runbook_of_the_alerts_team_comes_before_the_same_text(runbook):
    """The owner is a label of the alert, as `team` or `owner`."""
    text = "The queue is stuck: drain the stale consumer."
    books = [runbook(name, text, owner=name) for name in ("billing", "search")]
    asked = symptoms("QueueStuck", "stale consumer, queue", owners=("search",))

    assert names(retrieve([*books, *SHIPPED], asked, limit=2)) == ["search", "billing"]


@pytest.mark.parametrize(
    ("expected", "sentence"),
    [
        ("out-of-memory", "java.lang.OutOfMemoryError: Java heap space"),
        ("dns", "java.net.UnknownHostException: billing.prod.svc"),
        ("disk-pressure", "OSError: [Errno 28] ENOSPC"),
        ("dependency-unreachable", "dial tcp <*>: ECONNREFUSED, backend unavailable"),
    ],
)
def test_other_words_for_the_same_thing_find_the_runbook(expected, sentence):
    """Runtimes and kernels have their own names for what a runbook says in words."""
    best = next(rank(Index(SHIPPED), symptoms("ServiceDown", sentence)))

    assert best.runbook.name == expected


def test_people_search_with_their_own_words(runbook):
    """Whatever has one of the words is found, the best first; what has none is not."""
    shelf = Shelf(runbooks=(runbook("far", "Ask Kim about parcels."), *SHIPPED))

    assert shelf.search("who parcels", limit=3)[0].chunk.source_id == "far"
    assert shelf.search("zebra", limit=3) == ()


def test_a_score_is_the_number_of_rare_words_that_are_found(runbook):
    """It means the same in small collections and large ones."""
    texts = {f"n{number}": f"item{number} about something" for number in range(40)}
    books = [runbook(name, text) for name, text in texts.items()]
    books.append(runbook("rare", "zebra giraffe"))

    one, two = (
        Index(books).scores(dict.fromkeys(terms, 1.0))[-1]
        for terms in (["zebra"], ["zebra", "giraff"])
    )

    assert two == pytest.approx(2 * one)
    assert 0.3 < one < 1


def test_what_is_said_more_often_counts_more(runbook):
    """A word said once among many is likely to be there by accident."""
    books = [runbook("a", "drain stale consumers"), runbook("b", "rotate ledger keys")]
    asked = symptoms("LedgerKeys", "drain a consumer", "rotate the ledger", "ledger keys are old")

    found = retrieve([*books, *SHIPPED], asked, limit=5)

    assert names(found)[0] == "b"
