"""Says who, which account, whether with MFA and when, in the stage's language."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from chalicelib.messages.payload import clean, format_local, safe
from chalicelib.messages.phrases import phrases_in
from chalicelib.settings import Settings
from chalicelib.signin.model import Mfa, Outcome, Principal, PrincipalType, SignIn
from chalicelib.signin.user_agent import browser_of, system_of

_LIMIT: Final = 150
_DAY: Final = "{date_short_pretty}"
_STEPS: Final = ("CredentialChallenge", "CredentialVerification")
_ADDRESS: Final = re.compile(r"[0-9a-fA-F.:]+")
_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)+", re.ASCII)


class Wording:
    """Turns the parts of a sign-in into words that may stand in Slack's markup as they are.

    A text from outside has at most `limit` characters. Without `markup` it is only flattened, for
    readers other than Slack.
    """

    def __init__(self, settings: Settings, *, limit: int = _LIMIT, markup: bool = True) -> None:
        self.phrases = phrases_in(settings.message_language)
        self._account_names = settings.account_names
        self._limit = limit
        self._markup = markup

    def quote(self, text: str | None, limit: int | None = None) -> str:
        """Return a text from outside, fit for its reader; an empty text if nothing is visible."""
        limit = limit or self._limit
        if not text or not self._markup:
            return clean(text or "", limit)
        quoted = safe(text, limit)
        return self.phrases("code", text=quoted) if quoted.startswith("`") else quoted

    def who(self, principal: Principal) -> str:
        """Name who: "IAM user alice"."""
        return self.phrases(f"who.{_kind(principal)}", name=self.quote(principal.name))

    def subject(self, principal: Principal) -> str:
        """Name who, as the subject that begins a sentence."""
        kind, name = _kind(principal), self.quote(principal.name)
        if f"subject.{kind}" in self.phrases:
            return self.phrases(f"subject.{kind}", name=name)
        who = self.phrases(f"who.{kind}", name=name)
        if not who.startswith(name):  # our own word begins with a capital, a name stays as it is
            who = who[0].upper() + who[1:]
        return self.phrases("subject", who=who, who_=spaced(who))

    def role(self, principal: Principal) -> str | None:
        """Name the role or permission set of a session, or None."""
        role = self.quote(principal.role)
        if not role:
            return None
        return self.phrases(f"role.{principal.type}", role=role)

    def who_with_role(self, sign_in: SignIn) -> str:
        """Name who, and with which role, into or out of which role."""
        user, session = sign_in.switch or (sign_in.principal, sign_in.principal)
        role = self.role(session)
        who = self.who(user)
        if not role:
            return who
        key = "with_role.session" if user is session and user.has_chosen_name else "with_role"
        return self.phrases(key, who=who, role=role)

    def saml_provider(self, sign_in: SignIn) -> str:
        """Name the SAML provider that named the person, and its account if that is another.

        IAM Identity Center has a provider of its own in each account, which says nothing.
        """
        arn = sign_in.principal.saml_provider or ""
        account_id, is_arn, name = arn.partition(":saml-provider/")
        if not is_arn:
            return self.quote(arn)
        account_id = account_id.rpartition(":")[2]
        if account_id != sign_in.account_id:
            return self._of_account(name, account_id)
        is_own = sign_in.principal.type is PrincipalType.PERMISSION_SET
        return "" if is_own and name.startswith("AWSSSO_") else self.quote(name)

    def vpc_endpoint(self, sign_in: SignIn) -> str:
        """Name the VPC endpoint that somebody came through, and whose it is."""
        endpoint = sign_in.vpc_endpoint
        return self._of_account(endpoint.id, endpoint.account_id) if endpoint else ""

    def _of_account(self, name: str, account_id: str | None) -> str:
        return f"{self.quote(name)} · {self._account_value(account_id)}"

    def oauth_client(self, sign_in: SignIn) -> str:
        """Name the application that was given access, unless it is AWS's own on the same device."""
        client = sign_in.oauth_client
        if not client or not client.kind:
            return ""
        name = self.quote(client.id.rpartition("::")[2])
        host = self.quote(client.redirects_to)
        return f"{name} → {host}" if host and client.kind == "third_party" else name

    def account(self, account_id: str | None) -> str:
        """Name an account within a sentence, by its number and the name that the stage gives it."""
        number, name = self._account(account_id)
        if not number:
            return self.phrases("account.unknown")
        return self.phrases("account" if name else "account.bare", name=name, id=number)

    def account_name(self, account_id: str | None) -> str:
        """Name an account as briefly as the stage allows."""
        number, name = self._account(account_id)
        return name or number

    def accounts(self, sign_in: SignIn) -> str:
        """Name the account beside its label; for a switch between two, both."""
        names = [sign_in.account_id]
        if sign_in.switch:
            names = [principal.account_id or sign_in.account_id for principal in sign_in.switch]
            if sign_in.event_name == "ExitRole":
                names.reverse()
        return " → ".join(dict.fromkeys(map(self._account_value, names)))

    def _account_value(self, account_id: str | None) -> str:
        number, name = self._account(account_id)
        return self.phrases("account.value", name=name, id=number) if name else self.value(number)

    def _account(self, account_id: str | None) -> tuple[str, str]:
        return self.quote(account_id), self.quote(self._account_names.get(account_id or ""))

    def event(self, sign_in: SignIn) -> str:
        """Name the event as a person would, or as AWS does where no name is known."""
        if sign_in.is_anomaly_alert:
            return self.phrases("event.anomaly")
        name = sign_in.event_name or ""
        return self._known(f"event.{name}", name) or self.phrases("event.unnamed")

    def title(self, sign_in: SignIn) -> str:
        """Name what happened: "Role switch refused"."""
        if sign_in.is_anomaly_alert:
            return self.phrases("title.anomaly")
        if not sign_in.understood:
            return self.phrases("title.not_understood")
        key = self.key_of("title.", sign_in)
        return self.phrases(key, event=self.phrases(f"event.{sign_in.event_name}"))

    def key_of(self, family: str, sign_in: SignIn) -> str:
        """Return the closest phrase of a family: for the event by root, for the event, for all."""
        outcome = f"{family}{sign_in.outcome.lower()}"
        event = f"{outcome}.{sign_in.event_name}"
        variant = "root" if sign_in.is_root else ""
        if sign_in.principal.name_hidden:
            variant = "hidden"
        elif sign_in.application:
            variant = "application"
        elif sign_in.oauth_client:
            variant = sign_in.oauth_client.kind or ""
        return next(key for key in (f"{event}.{variant}", event, outcome) if key in self.phrases)

    def step(self, sign_in: SignIn) -> str:
        """Name the factor that a step of a sign-in asks for, as far as its kind is known."""
        return self.phrases(f"step.{sign_in.mfa}")

    def mfa(self, sign_in: SignIn) -> str:
        """Answer whether MFA was used, with the device where it is known."""
        answer = self.phrases(f"mfa.{_mfa(sign_in)}")
        if sign_in.mfa is not Mfa.YES:
            return answer
        device = self._known(f"device.{sign_in.mfa_device}", sign_in.mfa_device)
        return self.phrases("mfa.device", answer=answer, device=device) if device else answer

    def outcome(self, sign_in: SignIn) -> str:
        """Return how it went, and why it failed where AWS says so."""
        outcome = self.phrases(f"outcome.{sign_in.outcome}")
        reason = self.failure_reason(sign_in)
        return self.phrases("outcome.reason", outcome=outcome, reason=reason) if reason else outcome

    def failure_reason(self, sign_in: SignIn) -> str | None:
        """Return why it failed, where AWS gives a reason."""
        if sign_in.failed_at_mfa:
            return self.phrases("failure_reason.mfa")
        said = sign_in.failure_reason
        return self._known(f"failure_reason.{said}", said) or None

    def found(self, sign_in: SignIn) -> str:
        """Return the note that the self-check found it, and why AWS did not bring it if known."""
        key = f"cause.{sign_in.found_cause}"
        if key not in self.phrases:
            return self.phrases("found_by_self_check")
        return self.phrases("found_by_self_check.because", cause=self.phrases(key))

    def client(self, user_agent: str | None) -> str:
        """Name the browser and its system, or quote what the client says of itself."""
        agent = user_agent or ""
        browser, system = browser_of(agent), system_of(agent)
        if browser and system:
            return self.phrases("client", browser=browser, system=system)
        return browser or self.quote(agent)

    def named_client(self, client: str) -> str:
        """Name a browser and a system that are written as `browser/system`."""
        browser, _, system = client.partition("/")
        if browser and system:
            return self.phrases("client", browser=browser, system=system)
        return self.value(browser or system)

    def source(self, sign_in: SignIn, network_name: str | None) -> str:
        """Return the address, with its network's name where the stage names it.

        AWS writes the name of a service, or "AWS Internal", in place of an address that it hides.
        """
        said = sign_in.source_ip or ""
        source = self.quote(said)
        if said == "AWS Internal":
            return self.phrases("source.service")
        if hides_address(sign_in):
            return self.phrases("source.host", host=source)
        name = self.quote(network_name)
        if not (source and name):
            return source
        return self.phrases("address.named", address=source, network=name)

    def field(self, label: str, text: str) -> str:
        """Return a text below its label, which is bold and has a line of its own."""
        return self.phrases("field", label=self.phrases(f"label.{label}"), value=text)

    def value(self, text: str | None) -> str:
        """Return a field's text, or the word for unknown."""
        return self.quote(text) or self.phrases("value.unknown")

    def duration(self, duration: timedelta) -> str:
        """Return how long, in the unit that fits; at least a minute."""
        minutes = max(1, int(duration.total_seconds() // 60))
        if minutes < 2 * 60:
            return self.phrases("duration.minutes", n=minutes)
        hours = minutes // 60
        if hours < 2 * 24:
            return self.phrases("duration.hours", n=hours)
        return self.phrases("duration.days", n=hours // 24)

    def period(self, times: Iterable[datetime | None]) -> str:
        """Return from when to when, in the reader's zone; a day that both are of once."""
        known = sorted(time for time in times if time)
        if not known:
            return self.phrases("period.unknown")
        first, last = known[0], known[-1]
        begin, end = (
            format_local(time, f"{_DAY} {{time}}", f"{time:%Y-%m-%d %H:%M} UTC")
            for time in (first, last)
        )
        if first.replace(second=0) == last.replace(second=0):
            return begin
        if first.date() == last.date():
            end = format_local(last, "{time}", f"{last:%H:%M} UTC")
        return self.phrases("period", first=begin, last=end)

    def _known(self, key: str, said: str | None) -> str:
        """Return our words for something AWS says, or AWS's own."""
        return self.phrases(key) if said and key in self.phrases else self.quote(said)


def spaced(text: str) -> str:
    """Leave a gap after Latin letters: some languages have none of their own."""
    return f"{text} " if text[-1:].isascii() else text


def mfa_kind(sign_in: SignIn) -> str | None:
    """Return what a sentence says of MFA; None where AWS does not say, or where it failed."""
    if sign_in.outcome is Outcome.FAILURE:
        return None
    if sign_in.mfa is not Mfa.UNKNOWN:
        return sign_in.mfa.value
    return "identity_provider" if sign_in.mfa_at_identity_provider else None


def hides_address(sign_in: SignIn) -> bool:
    """Return whether AWS wrote a name in place of the address."""
    said = sign_in.source_ip or ""
    return said == "AWS Internal" or bool(_HOST.fullmatch(said) and not _ADDRESS.fullmatch(said))


def _kind(principal: Principal) -> str:
    """Return how a principal is named."""
    if principal.type is PrincipalType.ROOT:
        return "root"
    if principal.name_hidden:
        return "hidden"
    if clean(principal.name or "", _LIMIT):
        return "session" if principal.has_chosen_name else principal.type.value
    return "unknown" if principal.type is PrincipalType.OTHER else "unnamed"


def _mfa(sign_in: SignIn) -> str:
    """Choose the answer, so that no "no" is read where none was due, no "yes" where it failed."""
    match sign_in.mfa:
        case Mfa.UNKNOWN if sign_in.mfa_at_identity_provider:
            return "identity_provider"
        case Mfa.NO if sign_in.event_name in _STEPS:
            return "not_at_this_step"
        case Mfa.NO if sign_in.outcome is Outcome.FAILURE:
            return "not_reached"
        case Mfa.YES if sign_in.event_name == "CredentialChallenge":
            return "asked_for"
        case Mfa.YES if sign_in.failed_at_mfa:
            return "failed"
    return sign_in.mfa.value
