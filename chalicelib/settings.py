"""A stage's settings: read from the environment, checked, named after their variables.

`.chalice/config.json` is where an operator sets them. Every fault is found at once and reported
with its remedy, so that nobody deploys five times to learn of five typing errors.
"""

import base64
import difflib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar, get_args

from chalicelib.errors import SettingFault, SettingsError

T = TypeVar("T")

Language = Literal["en", "ja", "ko"]
Failures = Literal["each", "digest"]
SeverityName = Literal["info", "warning", "critical"]
FamiliarSignIns = Literal["post", "ignore"]
MessageDetail = Literal["auto", "full"]

DEFAULT_REGION: Final = "us-east-1"
REGION: Final = r"[a-z]{2,4}(?:-[a-z]+){1,2}-[0-9]{1,2}"
SLACK_HOSTS: Final = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
DEFAULT_IGNORED_EVENTS: Final = frozenset(
    {
        # the steps on the way to a sign-in
        "CheckMfa",
        "GetSigninToken",
        "RenewRole",
        "CredentialChallenge",
        "CredentialVerification",
        # the sign-in API's calls about tokens, which applications repeat
        "CreateOAuth2Token",
        "CreateOAuth2TokenWithIAM",
        "CreateOAuth2TokenWithTokenExchange",
        "IntrospectOAuth2TokenWithIAM",
        "RevokeOAuth2TokenWithIAM",
        # and those that only read
        "GetConsoleAuthorizationConfiguration",
        "GetResourcePolicy",
        "GetSession",
        "ListResourcePermissionStatements",
        "ListSessions",
        "ListTrustedIdentityPropagationApplicationsForConsole",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one stage is set to.

    `webhook_url_encrypted` and `critical_webhook_url_encrypted` are the ciphertexts as bytes,
    decoded from base64.
    """

    stage: str
    sign_in_region: str
    webhook_url_encrypted: bytes = field(repr=False)
    webhook_encryption_context: Mapping[str, str]
    critical_webhook_url_encrypted: bytes | None = field(repr=False)
    webhook_hosts: frozenset[str]
    slack_channel: str | None
    slack_username: str | None
    slack_icon_emoji: str | None
    message_language: Language
    message_detail: MessageDetail
    minimum_severity: SeverityName
    critical_mention: str | None
    runbook_url: str | None
    failures: Failures
    ignored_events: frozenset[str]
    ignored_principals: tuple[str, ...]
    known_networks: Mapping[str, str]
    baseline_table: str | None
    baseline_days: int
    familiar_sign_ins: FamiliarSignIns
    identity_store_id: str | None
    organization_id: str | None
    account_names: Mapping[str, str]
    log_events: bool
    undelivered_queue: str | None
    mfa_audit_schedule: str | None
    self_check_schedule: str | None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings of environment variables; an empty variable counts as unset.

        Raises SettingsError, naming every fault at once.
        """
        settings, faults = cls.read(environ)
        if faults:
            raise SettingsError(faults)
        return settings

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> tuple[Self, tuple[SettingFault, ...]]:
        """Return the settings, each at its default where it is wrong, and every fault."""
        faults: list[SettingFault] = []

        def read(name: str, reader: Callable[[str], T], default: T) -> T:
            text = environ.get(name, "").strip()
            if not text:
                return default
            try:
                return reader(text)
            except ValueError as fault:
                faults.append(SettingFault(name, str(fault)))
                return default

        settings = cls(
            stage=read("STAGE", _stage, ""),
            sign_in_region=read("SIGN_IN_REGION", _region, DEFAULT_REGION),
            webhook_url_encrypted=read("WEBHOOK_URL_ENCRYPTED", _ciphertext, b""),
            webhook_encryption_context=read("WEBHOOK_ENCRYPTION_CONTEXT", _strings_by_name, {}),
            critical_webhook_url_encrypted=read(
                "CRITICAL_WEBHOOK_URL_ENCRYPTED", _ciphertext, None
            ),
            webhook_hosts=read("WEBHOOK_HOSTS", _hosts, SLACK_HOSTS),
            slack_channel=read("SLACK_CHANNEL", _one_line, None),
            slack_username=read("SLACK_USERNAME", _one_line, None),
            slack_icon_emoji=read("SLACK_ICON_EMOJI", _emoji, None),
            message_language=read("MESSAGE_LANGUAGE", _one_of(Language), "en"),
            message_detail=read("MESSAGE_DETAIL", _one_of(MessageDetail), "auto"),
            minimum_severity=read("MINIMUM_SEVERITY", _one_of(SeverityName), "info"),
            critical_mention=read("CRITICAL_MENTION", _mention, None),
            runbook_url=read("RUNBOOK_URL", _web_address, None),
            failures=read("FAILURES", _one_of(Failures), "each"),
            ignored_events=read("IGNORED_EVENTS", _event_names, DEFAULT_IGNORED_EVENTS),
            ignored_principals=read("IGNORED_PRINCIPALS", _principals, ()),
            known_networks=read("KNOWN_NETWORKS", _known_networks, {}),
            baseline_table=read("BASELINE_TABLE", _table_name, None),
            baseline_days=read("BASELINE_DAYS", _days, 90),
            familiar_sign_ins=read("FAMILIAR_SIGN_INS", _one_of(FamiliarSignIns), "post"),
            identity_store_id=read("IDENTITY_STORE_ID", _identity_store_id, None),
            organization_id=read("ORGANIZATION_ID", _organization_id, None),
            account_names=read("ACCOUNT_NAMES", _account_names, {}),
            log_events=read("LOG_EVENTS", _one_of(Literal["true", "false"]), "true") == "true",
            undelivered_queue=read("UNDELIVERED_QUEUE", _queue_name, None),
            mfa_audit_schedule=read("MFA_AUDIT_SCHEDULE", _schedule, None),
            self_check_schedule=read("SELF_CHECK_SCHEDULE", _schedule, None),
        )
        if not environ.get("WEBHOOK_URL_ENCRYPTED", "").strip():
            faults.append(
                SettingFault(
                    "WEBHOOK_URL_ENCRYPTED",
                    "is missing. Encrypt the webhook's URL with KMS: "
                    f"python -m ops setup --stage {settings.stage or 'prod'}",
                )
            )
        if settings.failures == "digest" and not environ.get("UNDELIVERED_QUEUE", "").strip():
            faults.append(
                SettingFault(
                    "FAILURES",
                    "=digest needs UNDELIVERED_QUEUE: failed sign-ins wait there for their "
                    "digest. Name a queue, or set FAILURES=each.",
                )
            )
        if settings.familiar_sign_ins == "ignore" and not environ.get("BASELINE_TABLE", "").strip():
            faults.append(
                SettingFault(
                    "FAMILIAR_SIGN_INS",
                    "=ignore needs BASELINE_TABLE, which remembers who is familiar: "
                    f"python -m ops setup --stage {settings.stage or 'prod'} --baseline",
                )
            )
        faults.extend(_unknown_settings(environ))
        return settings, tuple(faults)


NAMES: Final = tuple(setting.name.upper() for setting in fields(Settings))
_PREFIXES: Final = tuple({name.partition("_")[0] + "_" for name in NAMES} | {"FAILURE", "STAGE"})


def stage_variables(environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Pick the variables that are the stage's: in Lambda all, elsewhere a shell has others too.

    Lambda's own that begin with `_` are not: `_X_AMZN_TRACE_ID` is new with every event.
    """
    return tuple(
        (name, value)
        for name, value in environ.items()
        if name in NAMES or ("AWS_LAMBDA_FUNCTION_NAME" in environ and not name.startswith("_"))
    )


def _unknown_settings(environ: Mapping[str, str]) -> list[SettingFault]:
    """Name the variables that look like ours and are none: typing errors, most likely."""
    return [
        SettingFault(
            name,
            "is not a setting of signin-monitor. "
            + (f"Did you mean {close[0]}?" if close else "Remove it."),
        )
        for name in sorted(set(environ) - set(NAMES))
        for close in [difflib.get_close_matches(name, NAMES, n=1, cutoff=0.7)]
        if close or name.startswith(_PREFIXES)
    ]


def _matching(pattern: str, fault: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(fault)
        return text

    return read


_stage = _matching(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}",
    "must be the stage's name: letters, digits, - and _, at most 32 of them.",
)
_region = _matching(REGION, f"must name an AWS region such as {DEFAULT_REGION}.")
_emoji = _matching(r":[\w+'-]+:", "must be an emoji's name between colons, such as :ghost:.")
_mention = _matching(
    r"here|channel|everyone|[UWS][A-Z0-9]{2,}",
    "must be here, channel, everyone, a user's id (U…) or a user group's id (S…): "
    "Slack does not ping names.",
)
_table_name = _matching(
    r"[A-Za-z0-9_.-]{3,255}", "must be the name of a DynamoDB table, not its ARN."
)
_identity_store_id = _matching(
    r"d-[0-9a-z]{10}", "must be the id of an identity store, such as d-1234567890."
)
_organization_id = _matching(
    r"o-[a-z0-9]{10,32}", "must be the id of an organisation, such as o-a1b2c3d4e5."
)
_queue_name = _matching(
    r"[A-Za-z0-9_-]{1,80}", "must be the name of a standard SQS queue, not its URL or ARN."
)


def _ciphertext(text: str) -> bytes:
    try:
        ciphertext = base64.b64decode(text, validate=True)
    except ValueError:
        ciphertext = b""
    if not ciphertext or ciphertext.startswith((b"http", b"//")):
        raise ValueError(
            "is not base64 of a ciphertext. It holds the CiphertextBlob of `aws kms encrypt`, "
            "whole and on one line, and never the URL itself. If the URL stood here, replace the "
            "webhook."
        )
    return ciphertext


def _strings_by_name(text: str, such_as: str = '{"app": "signin-monitor"}') -> dict[str, str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError(f"must be a JSON object of strings, such as {such_as}.")
    return value


def _hosts(text: str) -> frozenset[str]:
    hosts = frozenset(_items(text.lower()))
    for host in hosts or [""]:
        if not re.fullmatch(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", host):
            raise ValueError(
                "must be a comma list of hosts, each `host` or `host:port`, with no scheme or path."
            )
    return hosts


def _one_line(text: str) -> str:
    if not text.isprintable() or len(text) > 80:  # noqa: PLR2004 — Slack's limit for both
        raise ValueError("must be one line of at most 80 characters.")
    return text


def _one_of(literal: Any) -> Callable[[str], Any]:  # noqa: ANN401 — one of its words
    choices = get_args(literal)

    def read(text: str) -> Any:  # noqa: ANN401
        if text.lower() not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}.")
        return text.lower()

    return read


def _web_address(text: str) -> str:
    if not re.fullmatch(r"https://[^\s<>|\"]{1,500}", text) or not text.isprintable():
        raise ValueError(
            "must be an address that begins with https://, with no space, <, > or | in it."
        )
    return text


def _event_names(text: str) -> frozenset[str]:
    names = frozenset(_items(text))
    if not all(re.fullmatch(r"[A-Za-z0-9]+", name) for name in names):
        raise ValueError("must be a comma list of event names, such as CheckMfa,RenewRole.")
    return names


def _principals(text: str) -> tuple[str, ...]:
    patterns = tuple(_items(text))
    for pattern in patterns:
        if not re.fullmatch(r"arn:[^:]+:iam::[^:]+:(user|role)/.+", pattern):
            raise ValueError(
                "must be a comma list of patterns on whole ARNs of IAM users or roles, such as "
                "arn:aws:iam::111122223333:role/Deploy*."
            )
    return patterns


def _known_networks(text: str) -> dict[str, str]:
    such_as = '{"203.0.113.0/24": "Seoul office"}'
    names = _strings_by_name(_text_of(text), such_as)
    networks = set()
    for cidr, name in names.items():
        try:
            network = ip_network(cidr)
        except ValueError as error:
            raise ValueError(
                f"must name networks by their CIDR, such as {such_as}: {error}."
            ) from None
        if network in networks:
            raise ValueError(f"names the network {network} twice.")
        networks.add(network)
        if not name.strip():
            raise ValueError(f"gives the network {cidr} no name.")
        _one_line(name)
    return names


def _days(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text, re.ASCII):
        raise ValueError("must be a number of days, at least 1 and at most 9999.")
    return int(text)


def _account_names(text: str) -> dict[str, str]:
    such_as = '{"111122223333": "prod"}'
    names = _strings_by_name(_text_of(text), such_as)
    if not all(re.fullmatch(r"[0-9]{12}", account) for account in names):
        raise ValueError(f"must name accounts by their 12 digits: {such_as}.")
    return names


def _text_of(text: str) -> str:
    """Return the text, or that of the file in chalicelib which it names after an @."""
    name = text.removeprefix("@")
    if name == text:
        return text
    if not re.fullmatch(r"[\w.-]+", name):
        raise ValueError("must name a file in chalicelib, such as @accounts.json.")
    try:
        return (Path(__file__).parent / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(
            f"names chalicelib/{name}, which cannot be read as text. Put the JSON object there."
        ) from None


def _schedule(text: str) -> str:
    unit = r"(1 (minute|hour|day)|(?!1 )[1-9][0-9]* (minutes|hours|days))"
    cron = re.fullmatch(r"cron\(\S+ \S+ (\S+) \S+ (\S+) \S+\)", text)
    one_day_open = cron is not None and (cron[1] == "?") is not (cron[2] == "?")
    if not one_day_open and not re.fullmatch(rf"rate\({unit}\)", text):
        raise ValueError(
            "must be rate(…) or cron(…), such as rate(1 day) or cron(0 9 ? * MON *). Of the day of "
            "month and the day of week, one must be ?."
        )
    return text


def _items(text: str) -> list[str]:
    return [item for item in (part.strip() for part in text.split(",")) if item]
