"""What to do: commands on what is there, nothing said twice, nothing changed on a mere lead."""

import re

import pytest
from unit.diagnose.evidence_factory import (
    alert,
    context,
    crash_loop,
    errors,
    log,
    metric,
    pod,
    rollout,
    service,
)

from opssage.diagnosis import Diagnosis, Verdict
from opssage.evidence import Evidence
from opssage.knowledge import ContextualEnrichment, EnhancedContext, RetrievedKnowledge
from opssage.settings import DiagnoseSettings
from tasks.diagnose import diagnose
from tasks.diagnose.catalogue import CAUSES
from tasks.diagnose.wording import with_places

WEB = alert("ErrorsHigh", namespace="shop", service="web")
BAD_VALUE = log("web", "invalid value for key 'QUEUE_URL'")
SET = {"namespace": "shop", "pod": "web-0", "workload": "web", "container": "app"}
JOB = {
    "namespace": "data",
    "pod": "nightly-29385120-h7wkb",
    "workload": "nightly-29385120",
    "node": "node-7",
}
LOOKING = re.compile(
    r"kubectl (-n \S+ )?(get|describe|logs|top|auth can-i|set env \S+ --list|exec \S+ --) ?"
    r"|openssl s_client |SELECT "
)


def told(*evidence: Evidence, advice: tuple[str, ...] = ()) -> Diagnosis:
    """Return the diagnosis where a runbook gives this advice."""
    passage = RetrievedKnowledge(
        source_id="web#check", title="Web: Check", excerpt="…", relevance=1
    )
    enhanced = EnhancedContext(
        retrieved_knowledge=(passage,),
        contextual_enrichment=ContextualEnrichment(known_remediation_actions=advice),
    )
    return diagnose(context(*evidence), enhanced, DiagnoseSettings())


def commands(report: Diagnosis) -> list[str]:
    return [each.command for each in report.recommended_remediation.short_term_actions]


def steps(report: Diagnosis) -> list[str]:
    return [each.action for each in report.recommended_remediation.short_term_actions]


def busy_node(subject: dict[str, str]) -> list[Evidence]:
    return [
        alert("NodeCPUHigh", node="node-7"),
        metric("node_cpu", {"node": "node-7"}, 0.4, 0.99),
        metric("cpu_usage", subject, None, 6.0),
        metric("cpu_usage", pod("web", "node-7"), 0.5, 0.5),
    ]


@pytest.mark.parametrize("subject", [JOB, {**JOB, "workload": ""}])
def test_pod_of_a_job_is_not_taken_for_one_of_a_deployment(subject):
    """Its commands are on the pod, in its own namespace; its name alone could mislead."""
    found = commands(told(*busy_node({key: text for key, text in subject.items() if text})))

    assert found[:2] == [
        "kubectl -n data describe pod nightly-29385120-h7wkb",
        "kubectl -n data get pod nightly-29385120-h7wkb -o jsonpath='{.metadata.ownerReferences}'",
    ]
    assert not any("deployment/" in each for each in found)


def test_pod_of_a_deployment_is_limited_by_its_deployment():
    """Where the owner is known to be a Deployment, the command names it."""
    found = commands(told(*busy_node({**pod("batch", "node-7"), "namespace": "data"})))

    assert "kubectl -n data set resources deployment/batch --limits=cpu=<limit>" in found


def test_pods_of_a_node_are_listed_by_commands_that_every_kubectl_takes():
    """`kubectl top` has no selector by node."""
    found = " && ".join(commands(told(*busy_node(JOB)))).split(" && ")

    assert "kubectl get pods -A -o wide --field-selector spec.nodeName=node-7" in found
    assert not any("top" in each and "--field-selector" in each for each in found)


def test_service_whose_owner_is_of_another_kind_gets_commands_on_its_pod():
    """A pod of a StatefulSet has no Deployment to restart."""
    waits = metric("waiting_reason", SET, 0, 1, reason="CrashLoopBackOff")
    restarts = metric("restarts", SET, 0, 3)

    found = commands(told(WEB, waits, restarts, BAD_VALUE))

    assert found == [
        "kubectl -n shop set env pod/web-0 --list",
        "kubectl -n shop get pod web-0 -o jsonpath='{.metadata.ownerReferences}'",
    ]


def test_service_without_pods_gets_commands_that_look_for_its_owner():
    """Where neither Deployment nor pod was seen no object is made up."""
    found = commands(told(WEB, errors("web"), BAD_VALUE))

    assert found == [
        "kubectl -n shop get pods",
        "kubectl -n shop get pods,deployments,statefulsets,daemonsets,jobs",
    ]


def test_deployment_is_named_by_its_own_name():
    """A service may be called otherwise than what runs it."""
    where = {**pod("web-v2"), "service": "web"}

    found = commands(told(WEB, metric("error_ratio", where, 0, 0.3), BAD_VALUE))

    assert "kubectl -n shop rollout restart deployment/web-v2" in found


def test_namesake_in_another_namespace_lends_no_names():
    """Of one name in two namespaces the incident's own is meant, with its own pods."""
    elsewhere = metric("restarts", {**SET, "namespace": "aside", "pod": "web-7"}, 0, 3)

    found = commands(told(WEB, elsewhere, metric("restarts", SET, 0, 3), BAD_VALUE))

    assert all("kubectl -n shop" in each and "web-7" not in each for each in found)


def test_placeholders_of_runbooks_are_filled_with_the_names_of_the_root():
    """Namespace, pod and Deployment are put in; names of other objects stay to be filled in."""
    advice = ("Look: `kubectl -n NAMESPACE logs POD`, deployment/NAME, secret NAME on NODE",)

    report = told(WEB, *crash_loop("web"), BAD_VALUE, advice=advice)

    assert steps(report)[-1].startswith(
        f"Look: `kubectl -n shop logs {pod('web')['pod']}`, deployment/web, secret NAME on NODE ("
    )


def test_placeholders_on_a_node_stand_for_the_pod_that_burdens_it():
    """The namespace of the alerts is not that of the heavy pod."""
    report = told(*busy_node(JOB), advice=("In NAMESPACE stop POD on NODE, deployment/NAME",))

    assert steps(report)[-1].startswith(f"In data stop {JOB['pod']} on node-7, deployment/NAME (")


@pytest.mark.parametrize(
    "text", ["$NODE", "${NODE}", "<NODE>", "NODE=x", "NODES", "MY_NODE", "NODE-POOL", "x.NODE"]
)
def test_only_whole_words_are_placeholders(text):
    """Variables and longer words are left alone."""
    assert with_places(text, {"NODE": "node-7"}) == text


@pytest.mark.parametrize("hostile", ["a; rm -rf /", "a\n", "$(b)", "", "-A"])
def test_name_that_a_shell_could_misread_fills_no_placeholder(hostile):
    """The word in capitals stays."""
    assert with_places("kubectl cordon NODE", {"NODE": hostile}) == "kubectl cordon NODE"


@pytest.mark.parametrize(
    "advice",
    [
        "Go back: `kubectl -n NAMESPACE rollout undo deployment/NAME --to-revision=2`",
        "Correct it, then `kubectl rollout restart deployment NAME --namespace NAMESPACE`",
        "`kubectl rollout undo deploy/NAME`, `kubectl -n NAMESPACE rollout restart deploy/NAME`",
    ],
)
def test_advice_that_repeats_a_listed_command_is_left_out(advice):
    """Same verb and same object are the same deed, however they are spelled."""
    evidence = [WEB, *crash_loop("web"), BAD_VALUE, rollout("web")]

    assert steps(told(*evidence, advice=(advice,))) == steps(told(*evidence))


@pytest.mark.parametrize(
    "advice", ["Restart the cache: `kubectl rollout restart deployment/cache`", "Call the owner"]
)
def test_advice_with_another_object_or_no_command_is_kept(advice):
    """Only what is listed already is left out."""
    report = told(WEB, *crash_loop("web"), BAD_VALUE, advice=(advice, advice))

    assert steps(report)[-1] == f"{advice} (from runbooks and similar incidents)"
    assert [each.startswith(advice) for each in steps(report)].count(True) == 1


def test_source_of_advice_is_told_once():
    """What an earlier report already took from a runbook keeps one source."""
    old = "Call the owner (from runbooks and similar incidents)"

    assert steps(told(WEB, *crash_loop("web"), BAD_VALUE, advice=(old,)))[-1] == old


def test_lead_changes_nothing():
    """Without a verdict only checks are given; a runbook's advice is something to weigh."""
    advice = "Medium risk: roll it back"
    evidence = [WEB, log("web", "JWT signature verification failed"), rollout("web")]

    report = told(*evidence, advice=(advice,))

    assert report.verdict is Verdict.INSUFFICIENT_EVIDENCE
    assert commands(report) == ["kubectl -n shop get secret"]
    assert "Runbook “web” suggests: Roll it back (risk: medium)" in report.next_checks


def test_nothing_is_done_about_a_false_alarm():
    """Where nothing is wrong a runbook's advice is not passed on."""
    calm = metric("alert_signal", service("web"), 0.01, 0.01, threshold={"op": ">", "value": 0.05})

    report = told(WEB, calm, advice=("Restart it",))

    assert report.verdict is Verdict.HEALTHY
    assert steps(report) == []


def test_low_risk_commands_of_the_catalogue_only_look():
    """What changes something is graded medium or high, so that a mere lead leaves it out."""
    low = [
        line
        for cause in CAUSES
        for each in cause.now
        if each.risk == "low"
        for line in each.command.replace(" && ", "\n").split("\n")
    ]

    assert low
    assert [line for line in low if line and not LOOKING.match(line)] == []
