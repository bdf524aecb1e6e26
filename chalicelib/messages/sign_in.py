"""The message builder: a sign-in becomes a message for Slack.

One whole sentence in `text`, for phones and screen readers; below it, in the channel, the fields,
the reasons and a link to the event.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from chalicelib.aws.console import cloudtrail_page
from chalicelib.messages.message import Message, build_message
from chalicelib.messages.novelty import novelty, usual
from chalicelib.messages.payload import (
    SECTION_LIMIT,
    Block,
    clean,
    context,
    escape,
    fallback_text,
    fields,
    format_local,
    format_utc,
    header,
    mrkdwn,
    plain_text,
    section,
)
from chalicelib.messages.sentence import PART_LIMIT, sentence
from chalicelib.messages.wording import Wording
from chalicelib.settings import DEFAULT_IGNORED_EVENTS, Settings
from chalicelib.signin.events import ACCESS_CHANGES
from chalicelib.signin.model import Outcome, SignIn
from chalicelib.signin.severity import AssessedSignIn

_ACCOUNT_EVENTS: Final = (
    "EmailUpdated",
    "PasswordRecoveryCompleted",
    "PasswordRecoveryRequested",
    "PasswordUpdated",
)
_ROLE_EVENTS: Final = ("ExitRole", "RenewRole", "SwitchRole")
_STEPS: Final = DEFAULT_IGNORED_EVENTS.difference(_ROLE_EVENTS)
_VALUE_LIMIT: Final = 600


def sign_in_message(
    assessed: AssessedSignIn, settings: Settings, late: timedelta | None
) -> Message:
    """Build the message that tells of one sign-in; `late` says by how much, where it is late."""
    sign_in, severity = assessed.sign_in, assessed.severity
    wording = Wording(settings)
    blocks = [
        header(wording.phrases(_title(sign_in))),
        fields(_fields(assessed, wording)),
        section(mrkdwn("\n".join(_judgement(assessed, wording)))),
    ]
    if facts := _facts(sign_in, wording):
        blocks.insert(2, fields(facts))
    if sign_in.excerpt:
        blocks.append(section(plain_text(escape(clean(sign_in.excerpt, SECTION_LIMIT)))))
    blocks.extend(_footer(sign_in, wording, late))
    text = sentence(sign_in, wording, late, assessed.origin.network_name)
    return build_message(text + novelty(assessed, wording), severity, settings, blocks)


def plain_alert(assessed: AssessedSignIn, settings: Settings) -> Message:
    """Build the alert that goes out where the message itself could not: text and nothing else."""
    sign_in = assessed.sign_in
    wording = Wording(settings)
    text = wording.phrases(
        "plain",
        who=fallback_text(wording.who_with_role(sign_in), PART_LIMIT),
        event=fallback_text(wording.event(sign_in), PART_LIMIT),
        account=fallback_text(wording.accounts(sign_in), PART_LIMIT),
        outcome=wording.phrases(f"outcome.{sign_in.outcome}"),
        time=format_utc(sign_in.event_time) if sign_in.event_time else wording.value(None),
        event_id=fallback_text(wording.value(sign_in.event_id), PART_LIMIT),
    )
    return build_message(text, assessed.severity, settings)


def _title(sign_in: SignIn) -> str:
    if sign_in.is_anomaly_alert:
        return "header.anomaly"
    if not sign_in.understood:
        return "header.not_understood"
    if sign_in.event_name in ACCESS_CHANGES:
        return "header.access"
    if sign_in.outcome is Outcome.SUCCESS and sign_in.event_name in _STEPS:
        return "header.step"
    if sign_in.event_name in _ACCOUNT_EVENTS:
        return "header.account"
    if sign_in.event_name in _ROLE_EVENTS:
        return "header.role"
    return f"header.sign_in.{sign_in.outcome}"


def _fields(assessed: AssessedSignIn, wording: Wording) -> list[str]:
    sign_in = assessed.sign_in
    hidden = sign_in.principal.name_hidden
    values = {
        "who": wording.phrases("who.hidden.why") if hidden else wording.who_with_role(sign_in),
        "account": wording.accounts(sign_in),
        "event": _event_value(sign_in, wording),
        "outcome": wording.phrases(f"outcome.{sign_in.outcome}"),
        "failure_reason": wording.failure_reason(sign_in),
        "mfa": wording.mfa(sign_in),
        "source_ip": wording.address(sign_in, assessed.origin.network_name) or wording.value(None),
        "client": wording.client(sign_in.user_agent),
        "region": wording.value(sign_in.region),
    }
    texts = _texts(values, wording)
    time = sign_in.event_time
    texts.append(_field("time", format_local(time) if time else wording.value(None), wording))
    return texts


def _facts(sign_in: SignIn, wording: Wording) -> list[str]:
    """Return the fields of what few sign-ins have."""
    keys_of = sign_in.principal.keys_of
    values = {
        "keys_of": wording.who(keys_of) if keys_of else None,
        "source_identity": wording.source_identity(sign_in),
        "saml_provider": wording.saml_provider(sign_in),
        "vpc_endpoint": wording.vpc_endpoint(sign_in),
        "application": wording.oauth_client(sign_in),
    }
    return _texts(values, wording)


def _texts(values: Mapping[str, str | None], wording: Wording) -> list[str]:
    return [
        _field(label, escape(value, _VALUE_LIMIT), wording)
        for label, value in values.items()
        if value
    ]


def _event_value(sign_in: SignIn, wording: Wording) -> str:
    """Name the event for people, and as AWS calls it for those who search for it."""
    named, raw = wording.event(sign_in), wording.value(sign_in.event_name)
    return named if named == raw or not sign_in.event_name else f"{named} · {raw}"


def _field(label: str, value: str, wording: Wording) -> str:
    return wording.phrases("field", label=wording.phrases(f"label.{label}"), value=value)


def _judgement(assessed: AssessedSignIn, wording: Wording) -> list[str]:
    said = {
        "severity": wording.phrases(f"severity.{assessed.severity.word}"),
        "reasons": " · ".join(wording.phrases(f"reason.{one}") for one in assessed.reasons),
    }
    if known := usual(assessed.origin.habits, wording):
        said["usual"] = escape(known, _VALUE_LIMIT)
    return [
        wording.phrases("line", label=wording.phrases(f"label.{label}"), value=value)
        for label, value in said.items()
    ]


def _footer(sign_in: SignIn, wording: Wording, late: timedelta | None) -> list[Block]:
    link = console_link(sign_in)
    texts = [
        text
        for text in (
            link and f"<{link}|{wording.phrases('link')}>",
            late and wording.phrases("late", delay=wording.duration(late)),
            sign_in.replayed and wording.phrases("replayed"),
            sign_in.found_by_self_check and wording.found(sign_in),
        )
        if text
    ]
    return [context(texts)] if texts else []


def console_link(sign_in: SignIn) -> str | None:
    """Link to the event in CloudTrail's console, in the partition of its region."""
    region, event_id = sign_in.region or "", sign_in.event_id or ""
    if not re.fullmatch(r"[\w-]{1,64}", event_id, re.ASCII):
        return None
    if region == "global":
        region = "us-east-1"
    if not re.fullmatch(r"(us-gov|[a-z]{2})-[a-z]+-\d", region):
        return None
    return cloudtrail_page(region, f"events/{event_id}")
