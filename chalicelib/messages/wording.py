"""Says who, which account, whether with MFA and when, in the stage's language."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from chalicelib.messages.payload import clean
from chalicelib.messages.phrases import phrases_in
from chalicelib.settings import Settings
from chalicelib.signin.model import Mfa, Outcome, Principal, PrincipalType, SignIn
from chalicelib.signin.user_agent import browser_of, system_of

_LONGEST: Final = 150
_STEPS: Final = ("CredentialChallenge", "CredentialVerification")


class Wording:
    """Turns the parts of a sign-in into words. What it gives is clean, but not escaped."""

    def __init__(self, settings: Settings) -> None:
        self.phrases = phrases_in(settings.message_language)
        self._account_names = settings.account_names

    def who(self, principal: Principal) -> str:
        """Name who: "IAM user alice"."""
        if principal.type is PrincipalType.ROOT:
            return self.phrases("who.root")
        if principal.name_hidden:
            return self.phrases("who.hidden")
        name = clean(principal.name or "", _LONGEST)
        if name:
            kind = "session" if principal.has_chosen_name else principal.type
            return self.phrases(f"who.{kind}", name=name)
        nobody = "unknown" if principal.type is PrincipalType.OTHER else "unnamed"
        return self.phrases(f"who.{nobody}")

    def role(self, principal: Principal) -> str | None:
        """Name the role or permission set of a session, or None."""
        role = clean(principal.role or "", _LONGEST)
        return self.phrases(f"role.{principal.type}", role=role) if role else None

    def who_with_role(self, sign_in: SignIn) -> str:
        """Name who, and with which role, into or out of which role."""
        user, session = sign_in.switch or (sign_in.principal, sign_in.principal)
        role = self.role(session)
        who = self.who(user)
        if not role:
            return who
        key = "with_role.session" if user is session and user.has_chosen_name else "with_role"
        return self.phrases(key, who=who, role=role)

    def saml_provider(self, sign_in: SignIn) -> str | None:
        """Name the SAML provider that named the person, and its account if that is another."""
        arn = clean(sign_in.principal.saml_provider or "", _LONGEST)
        account_id, is_arn, name = arn.partition(":saml-provider/")
        if not is_arn:
            return arn or None
        account_id = account_id.rpartition(":")[2]
        return name if account_id == sign_in.account_id else self._of_account(name, account_id)

    def vpc_endpoint(self, sign_in: SignIn) -> str | None:
        """Name the VPC endpoint that somebody came through, and whose it is."""
        if not sign_in.vpc_endpoint:
            return None
        name = clean(sign_in.vpc_endpoint.id, _LONGEST)
        return self._of_account(name, sign_in.vpc_endpoint.account_id)

    def source_identity(self, sign_in: SignIn) -> str | None:
        """Return what the session was given when it began and cannot change."""
        return clean(sign_in.principal.source_identity or "", _LONGEST) or None

    def _of_account(self, name: str, account_id: str | None) -> str:
        return f"{name} · {self._account_value(account_id)}"

    def oauth_client(self, sign_in: SignIn) -> str | None:
        """Name the application that was given access, unless it is AWS's own on the same device."""
        client = sign_in.oauth_client
        if not client or not client.kind:
            return None
        name = clean(client.id.rpartition("::")[2], _LONGEST)
        host = clean(client.redirects_to or "", _LONGEST)
        return f"{name} → {host}" if host and client.kind == "third_party" else name

    def account(self, account_id: str | None) -> str:
        """Name an account within a sentence, by its name where the stage gives one, and number."""
        number, name = self._account(account_id)
        if not number:
            return self.phrases("account.unknown")
        return self.phrases("account" if name else "account.bare", name=name, id=number)

    def accounts(self, sign_in: SignIn) -> str:
        """Name the account beside its label; for a switch between two, both."""
        names = [sign_in.account_id]
        if sign_in.switch:
            names = [one.account_id or sign_in.account_id for one in sign_in.switch]
            if sign_in.event_name == "ExitRole":
                names.reverse()
        return " → ".join(dict.fromkeys(map(self._account_value, names)))

    def _account_value(self, account_id: str | None) -> str:
        number, name = self._account(account_id)
        return self.phrases("account.value", name=name, id=number) if name else self.value(number)

    def _account(self, account_id: str | None) -> tuple[str, str]:
        number = clean(account_id or "", _LONGEST)
        return number, clean(self._account_names.get(number, ""), _LONGEST)

    def event(self, sign_in: SignIn) -> str:
        """Name the event as a person would, or as AWS does where no name is known."""
        if sign_in.is_anomaly_alert:
            return self.phrases("event.anomaly")
        name = clean(sign_in.event_name or "", _LONGEST)
        if not name:
            return self.phrases("event.unnamed")
        return self._known(f"event.{name}", name)

    def step(self, sign_in: SignIn) -> str:
        """Name the factor that a step of a sign-in asks for, as far as its kind is known."""
        return self.phrases(f"step.{sign_in.mfa}")

    def mfa(self, sign_in: SignIn) -> str:
        """Answer whether MFA was used, with the device where it is known."""
        answer = self.phrases(f"mfa.{_mfa(sign_in)}")
        said = clean(sign_in.mfa_device or "", _LONGEST)
        if sign_in.mfa is not Mfa.YES or not said:
            return answer
        return self.phrases("mfa.device", answer=answer, device=self._known(f"device.{said}", said))

    def mfa_note(self, sign_in: SignIn) -> str | None:
        """Answer the same in a few words; None where AWS does not say, or where it failed."""
        if sign_in.outcome is Outcome.FAILURE:
            return None
        if sign_in.mfa is not Mfa.UNKNOWN:
            return self.phrases(f"note.mfa.{sign_in.mfa}")
        if sign_in.mfa_at_identity_provider:
            return self.phrases("note.mfa.identity_provider")
        return None

    def failure_reason(self, sign_in: SignIn) -> str | None:
        """Return why it failed, where AWS gives a reason."""
        if sign_in.failed_at_mfa:
            return self.phrases("failure_reason.mfa")
        said = clean(sign_in.failure_reason or "", _LONGEST)
        return self._known(f"failure_reason.{said}", said) if said else None

    def found(self, sign_in: SignIn) -> str:
        """Return the note that the self-check found it, and why AWS did not bring it if known."""
        key = f"cause.{sign_in.found_cause}"
        if key not in self.phrases:
            return self.phrases("found_by_self_check")
        return self.phrases("found_by_self_check.because", cause=self.phrases(key))

    def client(self, user_agent: str | None) -> str:
        """Name the browser and its system, or give what the client says of itself."""
        agent = user_agent or ""
        browser, system = browser_of(agent), system_of(agent)
        if browser and system:
            return self.phrases("client", browser=browser, system=system)
        return browser or self.value(agent)

    def named_client(self, client: str) -> str:
        """Name a browser and a system that are written as `browser/system`."""
        browser, _, system = client.partition("/")
        if browser and system:
            return self.phrases("client", browser=browser, system=system)
        return self.value(browser or system)

    def address(self, sign_in: SignIn, network_name: str | None) -> str:
        """Return the address, with the name of its network where the stage gives one."""
        address, name = (
            clean(sign_in.source_ip or "", _LONGEST),
            clean(network_name or "", _LONGEST),
        )
        if not (address and name):
            return address
        return self.phrases("address.named", address=address, network=name)

    def value(self, text: str | None) -> str:
        """Return a field's text, or the word for unknown."""
        return clean(text or "", _LONGEST) or self.phrases("value.unknown")

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
        """Say from when to when, in UTC; the day once where both are of one day."""
        known = sorted(time for time in times if time)
        if not known:
            return self.phrases("period.unknown")
        first, last = known[0], known[-1]
        begin, end = first.strftime("%Y-%m-%d %H:%M"), last.strftime("%Y-%m-%d %H:%M")
        if begin == end:
            return f"{begin} UTC"
        if first.date() == last.date():
            end = last.strftime("%H:%M")
        return self.phrases("period", first=begin, last=f"{end} UTC")

    def _known(self, key: str, said: str) -> str:
        """Return our words for something AWS says, or AWS's own."""
        return self.phrases(key) if key in self.phrases else said


def _mfa(sign_in: SignIn) -> str:
    """Choose the answer, so that no "no" is read where none was due, no "yes" where it failed."""
    match sign_in.mfa:
        case Mfa.UNKNOWN if sign_in.mfa_at_identity_provider:
            return "identity_provider"
        case Mfa.NO if sign_in.event_name in _STEPS:
            return "not_at_this_step"
        case Mfa.NO if sign_in.outcome is Outcome.FAILURE:
            return "no_for_it_failed"
        case Mfa.YES if sign_in.event_name == "CredentialChallenge":
            return "asked_for"
        case Mfa.YES if sign_in.failed_at_mfa:
            return "failed"
    return sign_in.mfa.value
