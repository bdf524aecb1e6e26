"""The message of a self-check: faults with their remedies, what is resolved, the heartbeat."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from chalicelib.health.description import fold, sentence
from chalicelib.health.result import CheckResult
from chalicelib.messages.message import Message, build_message
from chalicelib.messages.payload import (
    Block,
    clean,
    context,
    escape,
    format_local,
    header,
    mrkdwn,
    section,
)
from chalicelib.messages.report import Report
from chalicelib.messages.wording import Wording
from chalicelib.self_check.findings import Findings, Week
from chalicelib.settings import Settings

_SHOWN: Final = 15  # faults; each is a block
_REMEDIES: Final = 3
_FACT_LIMIT: Final = 600
_REMEDY_LIMIT: Final = 300
_RESOLVED_SHOWN: Final = 10


def findings_report(event: Mapping[str, Any]) -> Report:
    """Return the report that a self-check's event is. Raises nothing."""
    findings = Findings.from_event(event)
    return Report.from_event(event, findings.severity, partial(findings_message, findings))


def findings_message(findings: Findings, settings: Settings) -> Message:
    """Return the message of a run."""
    wording = Wording(settings)
    blocks = list(_blocks(findings, wording))
    if blocks:
        blocks.insert(0, header(wording.phrases("header.self_check")))
    return build_message(_text(findings, wording), findings.severity, settings, blocks)


def _text(findings: Findings, wording: Wording) -> str:
    """Return the worst of it in one sentence."""
    account = wording.account(findings.account_id)
    for kind, results in (("new", findings.new), ("ongoing", findings.ongoing)):
        if folded := _fold(results, wording):
            first = sentence(folded[0], wording.phrases, _quoting(wording))
            is_fault = folded[0].check != "password"
            key = f"self_check.{kind if is_fault else 'noticed'}"
            text = wording.phrases(key, account=account, first=first)
            return _and_more(text, len(folded) - 1, wording)
    if findings.resolved:
        return _resolved(findings, wording)
    if findings.week:
        week = _week(findings.week, wording)
        return wording.phrases("self_check.running", account=account, week=week)
    return wording.phrases("header.self_check")


def _and_more(text: str, more: int, wording: Wording) -> str:
    if more <= 0:
        return text
    return wording.phrases("self_check.and_more", sentence=text, count=more)


def _week(week: Week, wording: Wording) -> str:
    counts = wording.phrases(
        "self_check.week",
        posted=week.posted,
        ignored=week.ignored,
        found=week.found,
        waiting=week.waiting,
    )
    if not week.familiar:
        return counts
    familiar = wording.phrases("self_check.familiar", count=week.familiar, people=week.people)
    return wording.phrases("novelty.join").join((counts, familiar))


def _blocks(findings: Findings, wording: Wording) -> Iterator[Block]:
    """Return what the text does not say, or not in full."""
    faults = _fold((*findings.new, *findings.ongoing), wording)
    for result in faults[:_SHOWN]:
        yield section(mrkdwn("\n".join(_fault(result, wording))))
    if findings.resolved and faults:
        yield section(mrkdwn(_resolved(findings, wording)))
    if findings.week:
        lines = list(_heartbeat(findings, findings.week, wording))
        if faults or findings.resolved:
            lines.insert(0, _week(findings.week, wording))
        yield section(mrkdwn("\n".join(lines)))
    if findings.unknown:
        yield context([_unknown(findings.unknown, wording)])


def _heartbeat(findings: Findings, week: Week, wording: Wording) -> Iterator[str]:
    if week.last_posted:
        yield wording.phrases("self_check.last_posted", time=format_local(week.last_posted))
    else:
        yield wording.phrases("self_check.nothing_posted")
    if findings.uncovered:
        uncovered = wording.phrases("list.join").join(map(wording.quote, findings.uncovered))
        yield wording.phrases("self_check.uncovered", regions=uncovered)
    elif not (findings.new or findings.ongoing or findings.unknown):
        yield wording.phrases("self_check.all_covered")


def _fault(result: CheckResult, wording: Wording) -> list[str]:
    remedies = result.remedy.splitlines()[:_REMEDIES]
    described = sentence(result, wording.phrases, _quoting(wording))
    return [described, *(_code(remedy) for remedy in remedies)]


def _code(remedy: str) -> str:
    text = escape(clean(remedy, _REMEDY_LIMIT))
    return f"<{text}>" if remedy.startswith("https://") else f"`{text}`"


def _resolved(findings: Findings, wording: Wording) -> str:
    """Say what was wrong and is no more."""
    faults = [
        CheckResult.fault(fault.check, fault.code, "", fault.resource, region=fault.region)
        for fault in findings.resolved
    ]
    were = [_was(fault, wording) for fault in _fold(faults, wording)]
    text = wording.phrases(
        "self_check.resolved",
        account=wording.account(findings.account_id),
        results=wording.phrases("self_check.join").join(were[:_RESOLVED_SHOWN]),
    )
    return _and_more(text, len(were) - _RESOLVED_SHOWN, wording)


def _was(fault: CheckResult, wording: Wording) -> str:
    """Say in a few words what a fault was; name the check alone for one of another release."""
    key, check = f"resolved.{fault.code}", wording.phrases(f"check.{fault.check}")
    if key not in wording.phrases:
        return check
    gaps = {"resource": wording.quote(fault.resource), "region": wording.quote(fault.region)}
    return wording.phrases(key, check=check, **gaps)


def _unknown(results: Sequence[CheckResult], wording: Wording) -> str:
    described = [
        wording.phrases(
            "self_check.unknown_why",
            result=wording.phrases(f"check.{result.check}"),
            why=sentence(result, wording.phrases, _quoting(wording)),
        )
        for result in _fold(results, wording)[:_SHOWN]
    ]
    return wording.phrases(
        "self_check.unknown", results=wording.phrases("self_check.join").join(described)
    )


def _fold(results: Sequence[CheckResult], wording: Wording) -> list[CheckResult]:
    return fold(results, wording.phrases("list.join"))


def _quoting(wording: Wording) -> Callable[[str], str]:
    return lambda fact: wording.quote(fact, _FACT_LIMIT)
