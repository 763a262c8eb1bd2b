"""What enrich knows, added to a report. It never makes or moves a hypothesis."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from opssage.diagnosis import Action
from opssage.knowledge import EnhancedContext
from tasks.diagnose.wording import with_places

_SOURCE = " (from runbooks and similar incidents)"
_GRADED = re.compile(r"(?P<risk>low|medium|high) risk: ", re.IGNORECASE)
_COMMAND = re.compile(r"`((?:kubectl|crictl) [^`]+)`")
_OPTION = re.compile(r"\s(?:(?:-n|--namespace)[ =]\S+|-\S+)")
_DEPLOYMENT = re.compile(r"\bdeploy(?:ments?)?(?:\.apps)?[ /]")
_MOST_ACTIONS = 3
_MOST_PASSAGES = 2
_MOST_INCIDENTS = 1


def known_actions(
    enhanced: EnhancedContext, listed: Sequence[Action], places: Mapping[str, str]
) -> Iterator[Action]:
    """Yield what runbooks say to do and what past incidents were advised, with that source.

    What repeats a `listed` action is left out. `places` are the names that placeholders in
    capitals stand for.
    """
    told_already = {each.action for each in listed}
    done = _deeds(each.command for each in listed)
    for risk, told in _known(enhanced):
        action = with_places(told, places)
        deeds = _deeds(_COMMAND.findall(action))
        if action not in told_already and not (deeds and deeds <= done):
            yield Action(action=action + _SOURCE, risk=risk)
        told_already.add(action)
        done |= deeds


def suggestions(enhanced: EnhancedContext) -> Iterator[str]:
    """Yield the same for a reader who has yet to find the cause: to weigh, not to do."""
    for risk, told in _known(enhanced):
        yield f"{_author(enhanced)} suggests: {told} (risk: {risk})"


def known_checks(enhanced: EnhancedContext) -> Iterator[str]:
    """Yield the passages to read and the past incidents to compare with."""
    for passage in enhanced.retrieved_knowledge[:_MOST_PASSAGES]:
        yield f"Read “{passage.title}” ({passage.source_id})"
    for related in enhanced.contextual_enrichment.related_incidents[:_MOST_INCIDENTS]:
        told = f": {related.root_cause.rstrip('.')}" if related.root_cause else ""
        yield (
            f"Compare with incident {related.incident_id} of {related.created_at:%Y-%m-%d}{told}"
        )


def _known(enhanced: EnhancedContext) -> Iterator[tuple[str, str]]:
    """Yield risk and text of each action, without the source an earlier report gave it."""
    for text in enhanced.contextual_enrichment.known_remediation_actions[:_MOST_ACTIONS]:
        yield _graded(text.removesuffix(_SOURCE))


def _graded(text: str) -> tuple[str, str]:
    """Split `Low risk: do this` into its risk and what to do; what says none is medium."""
    graded = _GRADED.match(text)
    if graded is None:
        return "medium", text
    told = text[graded.end() :]
    return graded["risk"].lower(), told[:1].upper() + told[1:]


def _author(enhanced: EnhancedContext) -> str:
    """Return who says it: the known actions do not tell each one's source, only the best first."""
    runbooks = {each.source_id.partition("#")[0]: None for each in enhanced.retrieved_knowledge}
    if not runbooks:
        return "A similar incident"
    best, *others = runbooks
    several = others or enhanced.contextual_enrichment.related_incidents
    return f"Runbook “{best}”{' or another source that fits' if several else ''}"


def _deeds(commands: Iterable[str]) -> set[str]:
    """Return commands by verb and object: without options, in one spelling."""
    return {
        " ".join(_DEPLOYMENT.sub("deployment/", _OPTION.sub("", part)).split())
        for command in commands
        for part in command.split("&&")
        if part.strip()
    }
