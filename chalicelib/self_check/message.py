"""The message of a self-check: what is broken with its remedy, what is mended, the heartbeat."""

from collections.abc import Iterator, Sequence
from typing import Final

from chalicelib.health.description import fold, sentence
from chalicelib.health.result import Link
from chalicelib.messages.payload import (
    Block,
    clean,
    context,
    envelope,
    escape,
    header,
    local_moment,
    mrkdwn,
    payload,
    section,
    spoken,
)
from chalicelib.messages.sign_in import Message
from chalicelib.messages.wording import Wording
from chalicelib.self_check.findings import Findings, Week
from chalicelib.settings import Settings
from chalicelib.signin.severity import Severity

_SHOWN: Final = 15  # faults; each is a block
_REMEDIES: Final = 3
_FACT_LIMIT: Final = 600
_REMEDY_LIMIT: Final = 300


def findings_message(findings: Findings, settings: Settings) -> Message:
    """Build the message that tells of a run."""
    wording = Wording(settings)
    text = _text(findings, wording)
    if findings.severity is Severity.CRITICAL:
        text = wording.phrases("text.critical", sentence=text)
    blocks = [header(wording.phrases("header.self_check")), *_blocks(findings, wording)]
    return Message(
        payload(text, findings.severity, blocks, settings),
        findings.severity,
        {"text": text, **envelope(settings)},
    )


def _text(findings: Findings, wording: Wording) -> str:
    """Say the gravest of it in one sentence."""
    account = spoken(wording.account(findings.account_id), _FACT_LIMIT)
    for kind, links in (("broken", findings.broken), ("still_broken", findings.still_broken)):
        if folded := fold(links):
            first = sentence(folded[0], wording.phrases, _spoken)
            text = wording.phrases(f"self_check.{kind}", account=account, first=first)
            more = len(folded) - 1
            return (
                wording.phrases("self_check.and_more", sentence=text, count=more) if more else text
            )
    if findings.mended:
        mended = _named(findings.mended, wording)
        return wording.phrases("self_check.mended", account=account, links=mended)
    if findings.week:
        week = _week(findings.week, wording)
        return wording.phrases("self_check.at_work", account=account, week=week)
    return wording.phrases("header.self_check")


def _week(week: Week, wording: Wording) -> str:
    return wording.phrases(
        "self_check.week",
        told=week.told,
        ignored=week.ignored,
        found=week.found,
        parked=week.waiting,
    )


def _blocks(findings: Findings, wording: Wording) -> Iterator[Block]:
    """Give what the text does not say, or not in full."""
    account = spoken(wording.account(findings.account_id), _FACT_LIMIT)
    faults = fold((*findings.broken, *findings.still_broken))
    for link in faults[:_SHOWN]:
        yield section(mrkdwn("\n".join(_fault(link, wording))))
    if findings.mended and faults:
        mended = _named(findings.mended, wording)
        yield section(mrkdwn(wording.phrases("self_check.mended", account=account, links=mended)))
    if findings.week:
        lines = list(_heartbeat(findings, findings.week, wording))
        if faults or findings.mended:
            lines.insert(0, _week(findings.week, wording))
        yield section(mrkdwn("\n".join(lines)))
    if findings.in_doubt:
        yield context([_doubts(findings.in_doubt, wording)])


def _heartbeat(findings: Findings, week: Week, wording: Wording) -> Iterator[str]:
    if week.last_told:
        yield wording.phrases("self_check.last_told", time=local_moment(week.last_told))
    else:
        yield wording.phrases("self_check.nothing_told")
    if findings.blind:
        blind = ", ".join(map(_spoken, findings.blind))
        yield wording.phrases("self_check.blind", regions=blind)
    elif not (findings.broken or findings.still_broken or findings.in_doubt):
        yield wording.phrases("self_check.not_blind")


def _fault(link: Link, wording: Wording) -> list[str]:
    remedies = link.remedy.splitlines()[:_REMEDIES]
    told = sentence(link, wording.phrases, _spoken)
    return [told, *(_code(remedy) for remedy in remedies)]


def _code(remedy: str) -> str:
    text = escape(clean(remedy, _REMEDY_LIMIT))
    return f"<{text}>" if remedy.startswith("https://") else f"`{text}`"


def _named(links: Sequence[Link], wording: Wording) -> str:
    """Name links by what they are, with their regions."""
    return ", ".join(_name(link, wording) for link in fold(links))


def _name(link: Link, wording: Wording) -> str:
    name = wording.phrases(f"link.{link.name}")
    if region := link.facts.get("region"):
        return wording.phrases("link.in_region", link=name, region=_spoken(region))
    return name


def _doubts(links: Sequence[Link], wording: Wording) -> str:
    told = [
        wording.phrases(
            "self_check.cannot_tell_why",
            link=wording.phrases(f"link.{link.name}"),
            why=sentence(link, wording.phrases, _spoken),
        )
        for link in fold(links)[:_SHOWN]
    ]
    return wording.phrases("self_check.cannot_tell", links="; ".join(told))


def _spoken(text: str) -> str:
    return spoken(text, _FACT_LIMIT)
