"""Many sign-ins in few messages: what waited in the queue, summed up.

Successful sign-ins are all named, in as many messages as it takes; of failed ones, which a
stranger can cause by the thousand, only the foremost are, the others counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from chalicelib.messages.message import Message, build_message
from chalicelib.messages.payload import escape, header, mrkdwn, section
from chalicelib.messages.wording import Wording
from chalicelib.settings import Settings
from chalicelib.signin.events import SIGN_INS
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.severity import WHAT_IS_NEW, AssessedSignIn

# So that a message of the longest lines stays under 13,000 characters: Slack takes no more.
LINES_PER_SECTION: Final = 5
LINES_PER_MESSAGE: Final = 25
NAMED_FAILURES: Final = 20
_WHO_LIMIT: Final = 150
_ACCOUNT_LIMIT: Final = 100
_EVENT_LIMIT: Final = 60
_OUTCOME_LIMIT: Final = 60
_IP_LIMIT: Final = 45

J = TypeVar("J", bound=AssessedSignIn)


def digests(assessed: Sequence[J], settings: Settings) -> list[tuple[Message, list[J]]]:
    """Sum sign-ins up, the gravest first, each counted in exactly one message.

    Gives each message with the sign-ins that it tells of.
    """
    wording = Wording(settings)
    named, cut = _cut(_groups(assessed))
    pages = _pages(named)
    return [_digest(page, cut if page is pages[-1] else [], wording, settings) for page in pages]


def _pages(groups: list[list[J]]) -> list[list[list[J]]]:
    """Part the groups into as few messages as will hold them, all of about the same length."""
    total = len(groups)
    count = -(-total // LINES_PER_MESSAGE)
    return [groups[i * total // count : (i + 1) * total // count] for i in range(count)]


def _groups(assessed: Sequence[J]) -> list[list[J]]:
    """Group what one line can tell; the gravest first, then whoever may have the password."""
    groups: dict[object, list[J]] = defaultdict(list)
    for one in assessed:
        sign_in = one.sign_in
        key = (
            one.severity,
            sign_in.principal,
            sign_in.switch,
            sign_in.account_id,
            sign_in.event_name,
            sign_in.outcome,
            sign_in.mfa,
            sign_in.mfa_at_identity_provider,
            sign_in.source_ip,
            one.reasons,
        )
        groups[key].append(one)
    return sorted(groups.values(), key=_rank)


def _rank(group: Sequence[AssessedSignIn]) -> tuple[int, bool, bool, int]:
    first = group[0]
    failed_at_mfa, is_root = first.sign_in.failed_at_mfa, first.sign_in.is_root
    return -first.severity, not failed_at_mfa, not is_root, -len(group)


def _cut(groups: list[list[J]]) -> tuple[list[list[J]], list[list[J]]]:
    """Part the groups that get a line of their own from the failures that are only counted."""
    failures = [group for group in groups if group[0].sign_in.outcome is Outcome.FAILURE]
    cut = failures[NAMED_FAILURES:]
    uncounted = {id(group) for group in cut}
    return [group for group in groups if id(group) not in uncounted], cut


def _digest(
    page: list[list[J]], cut: list[list[J]], wording: Wording, settings: Settings
) -> tuple[Message, list[J]]:
    told = [one for group in (*page, *cut) for one in group]
    lines = [_line(group, wording) for group in page]
    if cut:
        lines.append(_more([one.sign_in for group in cut for one in group], wording))
    sections = [
        section(mrkdwn("\n".join(lines[i : i + LINES_PER_SECTION])))
        for i in range(0, len(lines), LINES_PER_SECTION)
    ]
    text = _text([one.sign_in for one in told], wording)
    severity = max(one.severity for one in told)
    blocks = [header(wording.phrases("header.digest")), *sections]
    return build_message(text, severity, settings, blocks), told


def _text(sign_ins: Sequence[SignIn], wording: Wording) -> str:
    failures = sum(sign_in.outcome is Outcome.FAILURE for sign_in in sign_ins)
    kind = {0: "none_failed", len(sign_ins): "failures"}.get(failures, "mixed")
    return wording.phrases(
        f"digest.{kind}",
        count=len(sign_ins),
        failures=failures,
        period=wording.period(sign_in.event_time for sign_in in sign_ins),
        **_spread(sign_ins, wording),
    )


def _line(group: Sequence[AssessedSignIn], wording: Wording) -> str:
    assessed, first = group[0], group[0].sign_in
    return wording.phrases(
        "digest.line",
        count=len(group),
        who=escape(wording.who_with_role(first), _WHO_LIMIT),
        account=escape(wording.accounts(first), _ACCOUNT_LIMIT),
        event=escape(wording.event(first), _EVENT_LIMIT),
        outcome=escape(_outcome(assessed, wording), _OUTCOME_LIMIT),
        ip=escape(
            wording.address(first, assessed.origin.network_name) or wording.value(None), _IP_LIMIT
        ),
        period=wording.period(one.sign_in.event_time for one in group),
    )


def _outcome(assessed: AssessedSignIn, wording: Wording) -> str:
    """Return how it went, what is new, and of MFA what matters: that it failed or was not used."""
    sign_in = assessed.sign_in
    outcome = wording.phrases(f"outcome.{sign_in.outcome}")
    if sign_in.failed_at_mfa:
        note = wording.failure_reason(sign_in)
    else:
        note = wording.mfa_note(sign_in) if sign_in.event_name in SIGN_INS else None
    new = [wording.phrases(f"reason.{one}") for one in assessed.reasons if one in WHAT_IS_NEW]
    for text in (*new, note or ""):
        if text:
            outcome = wording.phrases("digest.outcome", outcome=outcome, note=text)
    return outcome


def _more(sign_ins: Sequence[SignIn], wording: Wording) -> str:
    return wording.phrases("digest.more", count=len(sign_ins), **_spread(sign_ins, wording))


def _spread(sign_ins: Iterable[SignIn], wording: Wording) -> dict[str, object]:
    """Count the different people, as far as AWS names them, and addresses."""
    sign_ins = list(sign_ins)
    names = len({(s.principal.type, s.principal.name) for s in sign_ins})
    hidden = any(s.principal.name_hidden for s in sign_ins)
    return {
        "names": wording.phrases("digest.names.at_least" if hidden else "digest.names", n=names),
        "addresses": len({s.source_ip for s in sign_ins}),
    }
