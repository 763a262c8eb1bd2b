"""Logs of containers in trouble."""

from datetime import timedelta

from unit.collect.kubernetes_stand_ins import (
    ONSET,
    FakeKubernetes,
    ask,
    ended,
    pod,
    recorded,
    reply,
    waiting,
)

from opssage.evidence import EvidenceKind, SourceStatus

CRASHING = waiting("CrashLoopBackOff", restartCount=3, lastState=ended("Error", 1))


def line(minutes, text):
    moment = ONSET + timedelta(minutes=minutes)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000000001Z {text}\n"


def crashing(text=None, **options):
    cluster = FakeKubernetes().has(pod("web-1", CRASHING, owner=("StatefulSet", "web")))
    if text is not None:
        cluster.logs["web-1", "app", True] = text
    answer = ask(cluster, log_lines=200, **options)
    return cluster, answer, [item for item in answer.evidence if item.kind is EvidenceKind.LOG]


def test_run_before_the_crash_is_read():
    """A container that waits has no run now."""
    cluster, _, (item,) = crashing(line(1, "ERROR no route to db"))

    (request,) = (r for r in cluster.asked if r.url.path.endswith("/log"))
    assert dict(request.url.params) == {
        "container": "app",
        "tailLines": "200",
        "limitBytes": "262144",
        "timestamps": "true",
        "previous": "true",
    }
    assert (item.source, item.data["template"]) == ("kubernetes", "ERROR no route to db")
    assert item.subject == {
        "namespace": "shop",
        "service": "web",
        "pod": "web-1",
        "container": "app",
    }


def test_lines_are_counted_before_and_after():
    """The time of a line stands before it; what has none is of the time of the line before."""
    text = line(-20, "ERROR boom") + line(1, "ERROR boom") + "ERROR boom\n"

    _, _, (item,) = crashing(text)

    assert (item.data["count_before"], item.data["count_after"]) == (1, 2)


def test_lines_of_a_real_kubelet_are_read():
    """With nanoseconds."""
    _, _, (item,) = crashing(recorded("log_tail")["body"])

    assert item.data["count_after"] == 5


def test_lines_after_the_window_count():
    """A crash loop that goes on tells its reason now."""
    _, _, found = crashing(line(50, "ERROR late"))

    assert [item.data["template"] for item in found] == ["ERROR late"]


def test_lines_of_a_clock_that_is_ahead_count_as_of_now():
    """A node's clock need not be ours, to two minutes."""
    _, _, (item,) = crashing(line(61, "ERROR no route to db") + line(70, "ERROR of another day"))

    assert (item.data["template"], item.data["count_after"]) == ("ERROR no route to db", 1)


def test_container_without_an_earlier_run_is_no_fault():
    """The API server says so with a 400."""
    _, answer, found = crashing()

    (report,) = (each for each in answer.reports if "/log" in each.query)
    assert (report.status, found) == (SourceStatus.EMPTY, [])
    assert report.error == 'previous terminated container "app" in pod "checkout-7d9f-ok" not found'


def test_pod_that_was_never_placed_has_an_empty_log():
    """The API server answers 204."""
    cluster = FakeKubernetes().has(pod("web-1", CRASHING))
    cluster.refuse("/log", reply("log_pending_pod"))

    (report,) = (r for r in ask(cluster, log_lines=9).reports if "/log" in r.query)

    assert (report.status, report.error) == (SourceStatus.EMPTY, "")


def test_logs_that_may_not_be_read_name_the_right_and_the_command():
    """Roles often grant pods without their logs."""
    cluster = FakeKubernetes().has(pod("web-1", CRASHING))
    cluster.refuse("/log", reply("forbidden_403_list_pods"))

    (report,) = (r for r in ask(cluster, log_lines=9).reports if "/log" in r.query)

    assert report.error == "cannot get pods/log in namespace shop: grant `get` on `pods/log`"
    assert report.by_hand == "kubectl logs web-1 -c app -n shop --tail=9 --timestamps --previous"


def test_logs_of_pods_that_are_well_are_not_read():
    """Nor any, when the settings ask for none."""
    cluster = FakeKubernetes().has(pod("web-1"))

    ask(cluster, log_lines=200)
    ask(FakeKubernetes().has(pod("web-1", CRASHING)), log_lines=0)

    assert not any(path.endswith("/log") for path in cluster.paths)


def test_secret_in_a_log_line_is_masked():
    """Before anything else sees it."""
    _, _, (item,) = crashing(line(1, "ERROR login password=hunter2hunter2"))

    assert "hunter2" not in str(item)


def test_digits_that_are_no_date_do_not_date_a_line():
    """It is of the time of the line before; nothing breaks."""
    odd = "9999-99-99T99:99:99Z ERROR boom\n9999-12-31T23:59:59.999999999Z ERROR boom\n"

    _, _, (item,) = crashing(line(1, "ERROR boom") + odd)

    assert item.data["count_after"] == 3
