"""The message builder: a sign-in becomes a message for Slack.

One whole sentence in `text`, for phones and screen readers. Below it, in the channel, an ordinary
sign-in has one small line; any other has the reasons, the fields and the links.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from chalicelib.aws.console import account_support_page, event_page, history_page
from chalicelib.messages.message import Message, build_message
from chalicelib.messages.novelty import novelty, usual
from chalicelib.messages.payload import (
    SECTION_LIMIT,
    Block,
    clean,
    context,
    escape,
    fields,
    format_local,
    format_utc,
    header,
    link,
    mrkdwn,
    plain_text,
    section,
)
from chalicelib.messages.sentence import sentence
from chalicelib.messages.wording import Wording
from chalicelib.settings import Settings
from chalicelib.signin.json_fields import parse_object
from chalicelib.signin.model import SignIn
from chalicelib.signin.severity import WHAT_IS_NEW, AssessedSignIn, Reason, Severity

_USER_ARN: Final = re.compile(
    r'"arn:[\w-]+:(?:iam|sts)::\d{12}:(?:user|assumed-role)/(?:[^"]*/)?([^"/]+)"'
)
_ALERT_LINES: Final = 15
_ALERT_LIMIT: Final = 150


def sign_in_message(
    assessed: AssessedSignIn, settings: Settings, late: timedelta | None
) -> Message:
    """Build the message of one sign-in; `late` says by how much, where it is late."""
    wording = Wording(settings)
    text = sentence(assessed, wording, late) + novelty(assessed, wording)
    if settings.message_detail == "auto" and _is_ordinary(assessed):
        blocks = [_tail(assessed, wording, _whereabouts(assessed.sign_in, wording), settings)]
    else:
        blocks = [
            header(wording.title(assessed.sign_in)),
            *_judgement(assessed, wording),
            fields(_fields(assessed, wording)),
            *_facts(assessed.sign_in, wording),
            *_excerpt(assessed.sign_in, wording),
            _tail(assessed, wording, [], settings),
        ]
    return build_message(text, assessed.severity, settings, [block for block in blocks if block])


def plain_alert(assessed: AssessedSignIn, settings: Settings) -> Message:
    """Build the alert that goes out where the message itself could not: text and nothing else."""
    sign_in = assessed.sign_in
    wording = Wording(settings)
    text = wording.phrases(
        "plain",
        who=wording.who_with_role(sign_in),
        event=wording.event(sign_in),
        account=wording.accounts(sign_in),
        outcome=wording.phrases(f"outcome.{sign_in.outcome}"),
        time=format_utc(sign_in.event_time) if sign_in.event_time else wording.value(None),
        event_id=wording.value(sign_in.event_id),
    )
    return build_message(text, assessed.severity, settings)


def _is_ordinary(assessed: AssessedSignIn) -> bool:
    return assessed.severity is Severity.INFO and not set(assessed.reasons) & set(WHAT_IS_NEW)


def _judgement(assessed: AssessedSignIn, wording: Wording) -> Iterator[Block]:
    """Return why it matters, what is usual instead, and what to do if it is critical."""
    phrases = wording.phrases
    keys = [f"reason.{reason}" for reason in assessed.reasons]
    said = {
        "reasons": "\n".join(phrases(key) for key in keys if key in phrases),
        "usual": usual(assessed.origin.habits, wording),
    }
    if assessed.severity is Severity.CRITICAL:
        steps = [f"next.{reason}" for reason in assessed.reasons]
        said["next"] = phrases(next((key for key in steps if key in phrases), "next"))
    lines = [wording.field(label, text) for label, text in said.items() if text]
    if lines:
        yield section(mrkdwn("\n".join(lines)))


def _fields(assessed: AssessedSignIn, wording: Wording) -> list[str]:
    sign_in, time = assessed.sign_in, assessed.sign_in.event_time
    hidden = sign_in.principal.name_hidden
    values = {
        "who": wording.phrases("who.hidden.why") if hidden else wording.who_with_role(sign_in),
        "account": wording.accounts(sign_in),
        "event": _event_value(sign_in, wording),
        "outcome": wording.outcome(sign_in),
        "mfa": wording.mfa(sign_in),
        "source_ip": wording.source(sign_in, assessed.origin.network_name) or wording.value(None),
        "client": wording.client(sign_in.user_agent) or wording.value(None),
        "region": wording.value(sign_in.region),
        "time": format_local(time) if time else wording.value(None),
    }
    if sign_in.is_anomaly_alert:  # of which nothing else is known
        values = {label: values[label] for label in ("account", "region", "time")}
    return [wording.field(label, value) for label, value in values.items()]


def _facts(sign_in: SignIn, wording: Wording) -> Iterator[Block]:
    """Return the fields of what few sign-ins have."""
    keys_of = sign_in.principal.keys_of
    values = {
        "keys_of": wording.who(keys_of) if keys_of else "",
        "source_identity": wording.quote(sign_in.principal.source_identity),
        "saml_provider": wording.saml_provider(sign_in),
        "vpc_endpoint": wording.vpc_endpoint(sign_in),
        "application": wording.oauth_client(sign_in),
    }
    if texts := [wording.field(label, value) for label, value in values.items() if value]:
        yield fields(texts)


def _event_value(sign_in: SignIn, wording: Wording) -> str:
    """Name the event for people, and as AWS calls it for those who search for it."""
    named, raw = wording.event(sign_in), wording.quote(sign_in.event_name)
    return named if named == raw or not raw else f"{named} · {raw}"


def _excerpt(sign_in: SignIn, wording: Wording) -> Iterator[Block]:
    """Return the record's own JSON, of an event that is not understood."""
    if not sign_in.excerpt:
        return
    if sign_in.is_anomaly_alert:
        yield section(mrkdwn(wording.field("alert", wording.phrases("alert"))))
        if alert := parse_object(sign_in.excerpt):  # else it was cut
            lines = [
                clean(f"{name}: {value}", _ALERT_LIMIT)
                for name, value in list(alert.items())[:_ALERT_LINES]
            ]
            yield section(plain_text(escape("\n".join(lines))))
            return
    yield section(plain_text(escape(clean(sign_in.excerpt, SECTION_LIMIT))))


def _whereabouts(sign_in: SignIn, wording: Wording) -> list[str]:
    """Return with which client, in which region and when; what is not known is left out."""
    time = sign_in.event_time
    return [
        wording.client(sign_in.user_agent),
        wording.quote(sign_in.region),
        format_local(time) if time else "",
    ]


def _tail(
    assessed: AssessedSignIn, wording: Wording, texts: list[str], settings: Settings
) -> Block | None:
    """Return the small line below a message: the texts, the links, and how it was found."""
    sign_in, phrases = assessed.sign_in, wording.phrases
    texts = [
        *texts,
        *(link(address, phrases(f"page.{label}")) for label, address in _links(assessed, settings)),
        wording.found(sign_in) if sign_in.found_by_self_check else "",
    ]
    text = " · ".join(filter(None, texts))
    return context([text]) if text else None


def _links(assessed: AssessedSignIn, settings: Settings) -> Iterator[tuple[str, str]]:
    sign_in, severity = assessed.sign_in, assessed.severity
    name = _user_name(sign_in)
    addresses = {"event": event_page(sign_in.region, sign_in.event_id)}
    if severity is Severity.CRITICAL:
        addresses["history" if name else "history.all"] = history_page(sign_in.region, name)
    if Reason.ROOT_CREDENTIALS_CHANGED in assessed.reasons:
        addresses["support"] = account_support_page(sign_in.region)
    if severity is not Severity.INFO:
        addresses["runbook"] = settings.runbook_url
    return ((label, address) for label, address in addresses.items() if address)


def _user_name(sign_in: SignIn) -> str | None:
    """Return whom CloudTrail's event history names as the user; an alert may name an ARN."""
    if sign_in.is_root:
        return "root"
    if sign_in.is_anomaly_alert and (arn := _USER_ARN.search(sign_in.excerpt or "")):
        return arn[1]
    return sign_in.principal.name
