"""What a rule's runbook_url leads to: documents of ours, pages of trusted hosts, nothing else."""

import pytest

from opssage.diagnosis import Impression
from tasks.enrich import Shelf, enrich
from tasks.enrich.runbook_links import LINKED, addresses, linked_first, resolve
from tasks.enrich.runbooks import Passage

HOSTS = ("runbooks.example.com",)


@pytest.fixture
def books(runbook):
    """Documents of a team."""
    return (
        runbook("shop/cart"),
        runbook("cart"),
        runbook("disk-full", url="https://wiki.example.com/x/disk?page=7"),
        runbook("late", url="https://wiki.example.com/dup"),
        runbook("early", url="https://wiki.example.com/dup"),
    )


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://runbooks.example/shop/cart", "shop/cart"),
        ("https://runbooks.example/team/SHOP/Cart.md#actions", "shop/cart"),
        ("https://runbooks.example/pay/cart/", "cart"),
        ("https://git.example/blob/main/runbooks/disk%2Dfull.md", "disk-full"),
        ("https://WIKI.example.com/x/disk/?page=7", "disk-full"),
        ("shop/cart", "shop/cart"),
        ("./cart.md", "cart"),
    ],
)
def test_an_address_finds_the_document_it_means(books, url, name):
    """By its `url`, or by the longest end of the path that is a name; whatever the host is."""
    link = resolve(url, books, HOSTS)

    assert (link.runbook.name, link.url) == (name, "")


def test_an_address_of_a_trusted_host_is_shown(books):
    """Beside the document, if there is one."""
    page = resolve("https://runbooks.example.com/Other", books, HOSTS)
    both = resolve("https://runbooks.example.com/cart", books, HOSTS)

    assert (page.url, page.runbook) == ("https://runbooks.example.com/Other", None)
    assert (both.url, both.runbook.name) == ("https://runbooks.example.com/cart", "cart")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/Other",
        "https://runbooks.example.com@evil.example/Other",
        "https://evil.example\\@runbooks.example.com/Other",
        "https://runbooks.example.com.evil.example/Other",
        "javascript://runbooks.example.com/%0aalert(1)",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1",
        "https://runbooks.example.com/a\u202eb",
        "https://runbooks.example.com/a b",
        "https://runbooks.example.com/" + "a" * 3000,
        "https://wiki.example.com/dup",
        "../../etc/passwd",
        "",
    ],
)
def test_any_other_address_leads_nowhere(books, url):
    """Whoever writes an alert chooses it; two documents that fit equally well are none either."""
    assert resolve(url, books, HOSTS) is None


def test_only_the_own_alerts_are_asked(context, evidence):
    """What else fires has runbooks of its own."""
    own = evidence("alert", annotations={"runbook_url": "https://a/b"})
    again = evidence("alert", annotations={"runbook_url": "https://a/b"})
    other = evidence("alert", annotations={"runbook_url": "https://a/c"}, relation="same_node")

    assert addresses(context("X", own, again, other, evidence("alert"))) == ("https://a/b",)


def test_the_passages_of_a_linked_document_come_first(books, runbook):
    """Whoever wrote the rule knows; what is relevant beside it follows."""
    named = runbook("named", "## Why\nx\n## Actions\n- go\n## Verify\ny")
    other = Passage(runbook=books[0], chunk=books[0].chunks[0], relevance=0.99)
    link = resolve("https://x/named", (*books, named), ())

    found = linked_first([link], [other], 5)

    assert [each.chunk.source_id for each in found] == [
        *("named#actions", "named#why", books[0].chunks[0].source_id),
    ]
    assert found[0].relevance == LINKED
    assert len(linked_first([link], [other], 1)) == 1


def test_fitting_passages_of_a_linked_document_stay_as_ranked(books, runbook):
    """They are only raised."""
    named = runbook("named", "## Why\nx\n## Actions\n- go")
    passages = [
        Passage(runbook=books[0], chunk=books[0].chunks[0], relevance=0.97),
        Passage(runbook=named, chunk=named.chunks[0], relevance=0.98),
        Passage(runbook=named, chunk=named.chunks[1], relevance=0.5),
    ]
    link = resolve("https://x/named", [named], ())

    found = linked_first([link], passages, 5)

    assert [(each.runbook.name, each.relevance) for each in found] == [
        *(("named", 0.98), ("named", LINKED), ("shop/cart", 0.97)),
    ]


def test_enrich_puts_the_linked_document_first(context, evidence, runbook):
    """And tells the page when people may be led there."""
    alert = evidence("alert", annotations={"runbook_url": "https://runbooks.example.com/pay"})
    shelf = Shelf(runbooks=(runbook("pay", "Ask Kim."), runbook("other", "Ledger late.")))
    found = context("LedgerLate", alert)

    trusted = enrich(found, shelf, (), Impression(), hosts=HOSTS)
    unknown = enrich(found, shelf, (), Impression())

    assert trusted.retrieved_knowledge[0].source_id == "pay"
    assert trusted.runbook_urls == ("https://runbooks.example.com/pay",)
    assert unknown.retrieved_knowledge == trusted.retrieved_knowledge
    assert unknown.runbook_urls == ()
