"""Many sign-ins in few messages: what waited in the queue, summed up.

Successful sign-ins come first and are all named, in as many messages as it takes. Failures, which
a stranger can cause by the thousand, share a line for each address; only the foremost lines are
shown, the others counted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from chalicelib.messages.message import Message, build_message
from chalicelib.messages.payload import header, sections
from chalicelib.messages.wording import Wording, mfa_kind
from chalicelib.settings import Settings
from chalicelib.signin.events import SIGN_INS
from chalicelib.signin.model import Outcome, Principal, SignIn
from chalicelib.signin.severity import WHAT_IS_NEW, AssessedSignIn

# So that a message of the longest lines stays under 13,000 characters: Slack takes no more.
LINES_PER_MESSAGE: Final = 25
NAMED_FAILURES: Final = 20
_LINE_LIMIT: Final = 500
# Of a text from outside: all of an IAM name, and what lets a line of the longest keep its limit.
_LIMITS: Final = (64, 40, 20)
_NAMED: Final = 3  # of many people, in one sentence

# Who got in comes first, whatever failed.
_ORDER: Final = {Outcome.SUCCESS: 0, Outcome.UNKNOWN: 1, Outcome.FAILURE: 2}
# Of a batch: an office's address has a few people with a wrong password, a person a few tries.
_SPRAYED_NAMES: Final = 5
_GUESSES: Final = 8

Group = list[AssessedSignIn]  # what one line holds


def digests(
    assessed: Sequence[AssessedSignIn], settings: Settings
) -> list[tuple[Message, list[AssessedSignIn]]]:
    """Sum up sign-ins, the successes first, each in exactly one message.

    Returns each message with the sign-ins that it counts.
    """
    wording = Wording(settings)
    named, cut = _cut(_groups(assessed))
    pages = _pages(named)
    return [_digest(page, cut if page is pages[-1] else [], wording, settings) for page in pages]


def _pages(groups: list[Group]) -> list[list[Group]]:
    """Split the groups into as few messages as will hold them, all of about the same length."""
    total = len(groups)
    count = -(-total // LINES_PER_MESSAGE)
    return [groups[i * total // count : (i + 1) * total // count] for i in range(count)]


def _groups(assessed: Sequence[AssessedSignIn]) -> list[Group]:
    """Group what one line can hold; who got in first, then whoever may have the password."""
    groups: dict[object, Group] = defaultdict(list)
    for member in assessed:
        is_plain = _is_plain_failure(member)
        key = _by_address(member.sign_in) if is_plain else _by_person(member)
        groups[key].append(member)
    return sorted(groups.values(), key=_rank)


def _is_plain_failure(assessed: AssessedSignIn) -> bool:
    sign_in = assessed.sign_in
    return sign_in.outcome is Outcome.FAILURE and not sign_in.failed_at_mfa and not sign_in.switch


def _by_address(sign_in: SignIn) -> object:
    return sign_in.account_id, sign_in.event_name, sign_in.source_ip


def _by_person(assessed: AssessedSignIn) -> object:
    sign_in = assessed.sign_in
    return (
        *(assessed.severity, sign_in.principal, sign_in.switch, sign_in.outcome, sign_in.mfa),
        *(sign_in.mfa_at_identity_provider, assessed.reasons),
        _by_address(sign_in),
    )


def _rank(group: Group) -> tuple[int, int, bool, bool, int]:
    first = group[0]
    failed_at_mfa, is_root = first.sign_in.failed_at_mfa, first.sign_in.is_root
    order = _ORDER[first.sign_in.outcome]
    return order, -first.severity, not failed_at_mfa, not is_root, -len(group)


def _cut(groups: list[Group]) -> tuple[list[Group], list[Group]]:
    """Separate the groups that get a line of their own from the failures that are only counted."""
    failures = [group for group in groups if group[0].sign_in.outcome is Outcome.FAILURE]
    cut = failures[NAMED_FAILURES:]
    uncounted = {id(group) for group in cut}
    return [group for group in groups if id(group) not in uncounted], cut


def _digest(
    page: list[Group], cut: list[Group], wording: Wording, settings: Settings
) -> tuple[Message, list[AssessedSignIn]]:
    members = [member for group in (*page, *cut) for member in group]
    lines = [_line(group, settings) for group in page]
    if cut:
        lines.append(_more([member.sign_in for group in cut for member in group], wording))
    text = _text([member.sign_in for member in members], wording)
    severity = max(member.severity for member in members)
    blocks = [header(wording.phrases("title.digest")), *sections(lines)]
    return build_message(text, severity, settings, blocks), members


def _text(sign_ins: Sequence[SignIn], wording: Wording) -> str:
    """Return who got in, what failed and what that looks like, and how much there was besides."""
    entries = [sign_in for sign_in in sign_ins if sign_in.is_entry]
    failures = [sign_in for sign_in in sign_ins if sign_in.outcome is Outcome.FAILURE]
    sentences = []
    if entries:
        names = list(dict.fromkeys(wording.who(sign_in.principal) for sign_in in entries))
        more = len(names) - _NAMED
        key = "digest.entered.more" if more > 0 else "digest.entered"
        listed = wording.phrases("list.join").join(names[:_NAMED])
        sentences.append(wording.phrases(key, names=listed, n=more))
    if failures:
        sentences.append(_failures(failures, wording))
    if pattern := _pattern(failures):
        sentences.append(wording.phrases(f"digest.looks_like.{pattern}"))
    if others := len(sign_ins) - len(entries) - len(failures):
        sentences.append(wording.phrases("digest.others", n=others))
    return wording.phrases("digest.join").join(sentences)


def _failures(failures: Sequence[SignIn], wording: Wording) -> str:
    accounts = {sign_in.account_id for sign_in in failures}
    account = (
        wording.account(failures[0].account_id)
        if len(accounts) == 1
        else wording.phrases("digest.count.accounts", n=len(accounts))
    )
    times = sorted(sign_in.event_time for sign_in in failures if sign_in.event_time)
    span = ""
    if times and times[0] != times[-1]:
        span = wording.phrases("digest.span", duration=wording.duration(times[-1] - times[0]))
    return wording.phrases(
        "digest.failures",
        failures=_count("failures", len(failures), wording),
        account=account,
        span=span,
        **_spread(failures, wording),
    )


def _pattern(failures: Iterable[SignIn]) -> str | None:
    """Return what failures look like: mostly many tries of a name, or many names from an address.

    A name that AWS hides is taken for another name each time.
    """
    by_address: dict[str | None, set[object]] = defaultdict(set)
    tries: Counter[object] = Counter()
    for number, sign_in in enumerate(failures):
        principal = sign_in.principal
        name = number if principal.name_hidden else (principal.type, principal.name)
        by_address[sign_in.source_ip].add(name)
        tries[name] += 1
    most = max(tries.values(), default=0)
    if most >= _GUESSES and 2 * most >= tries.total():
        return "guessing"
    sprayed = any(len(names) >= _SPRAYED_NAMES for names in by_address.values())
    return "spraying" if sprayed else None


def _count(what: str, n: int, wording: Wording, **more: object) -> str:
    key = f"digest.count.{what}"
    return wording.phrases(f"{key}.one" if n == 1 else key, n=n, **more)


def _line(group: Group, settings: Settings) -> str:
    *longer, shortest = _LIMITS
    for limit in longer:
        line = _line_in(group, Wording(settings, limit=limit))
        if len(line) <= _LINE_LIMIT:
            return line
    return _line_in(group, Wording(settings, limit=shortest))


def _line_in(group: Group, wording: Wording) -> str:
    assessed, first = group[0], group[0].sign_in
    people = list(dict.fromkeys(member.sign_in.principal for member in group))
    key, who = "digest.line", wording.who_with_role(first)
    if len(people) > 1:
        key, who = "digest.line.several", _several(group, people, wording)
    return wording.phrases(
        key,
        count=len(group),
        who=who,
        account=wording.accounts(first),
        event=wording.event(first),
        outcome=_outcome(assessed, wording),
        ip=wording.source(first, assessed.origin.network_name) or wording.value(None),
        period=wording.period(member.sign_in.event_time for member in group),
    )


def _several(group: Group, people: Sequence[Principal], wording: Wording) -> str:
    names = [wording.who(principal) for principal in people]
    listed = wording.phrases("list.join").join([*names[:_NAMED], *["…"][: len(names) - _NAMED]])
    counted = _spread((member.sign_in for member in group), wording)["names"]
    return wording.phrases("digest.several", names=counted, listed=listed)


def _outcome(assessed: AssessedSignIn, wording: Wording) -> str:
    """Return how it went, what is new, and of MFA what matters: that it failed or was not used."""
    sign_in = assessed.sign_in
    outcome = wording.phrases(f"outcome.{sign_in.outcome}")
    if sign_in.failed_at_mfa:
        note = wording.failure_reason(sign_in)
    else:
        mfa = mfa_kind(sign_in) if sign_in.event_name in SIGN_INS else None
        note = wording.phrases(f"note.mfa.{mfa}") if mfa else None
    reasons = [reason for reason in assessed.reasons if reason in WHAT_IS_NEW]
    new = [wording.phrases(f"note.{reason}") for reason in reasons]
    for text in (*new, note or ""):
        if text:
            outcome = wording.phrases("digest.outcome", outcome=outcome, note=text)
    return outcome


def _more(sign_ins: Sequence[SignIn], wording: Wording) -> str:
    return wording.phrases("digest.more", count=len(sign_ins), **_spread(sign_ins, wording))


def _spread(sign_ins: Iterable[SignIn], wording: Wording) -> dict[str, str]:
    """Count the different people, as far as AWS names them, and addresses."""
    sign_ins = list(sign_ins)
    principals = [sign_in.principal for sign_in in sign_ins]
    names = len({(principal.type, principal.name) for principal in principals})
    hidden = any(principal.name_hidden for principal in principals)
    addresses = {sign_in.source_ip for sign_in in sign_ins}
    ip = wording.value(sign_ins[0].source_ip)
    return {
        "names": wording.phrases("digest.count.names.at_least", n=names)
        if hidden
        else _count("names", names, wording),
        "addresses": _count("addresses", len(addresses), wording, ip=ip),
    }
