"""Whatever arrives gives a message that Slack takes, and nothing from outside does harm in it.

`HYPOTHESIS_PROFILE=long python -m pytest tests/test_properties.py` looks for much longer.
"""

import json
import os
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from chalicelib.messages.digest import digests
from chalicelib.messages.sign_in import plain_alert, sign_in_message
from chalicelib.signin.events import KNOWN_EVENTS
from chalicelib.signin.reader import read_sign_in, trim
from chalicelib.signin.redaction import redact
from chalicelib.signin.severity import AssessedSignIn, Severity, assess
from tests.support.records import EVENTS, changed, event, paths, without
from tests.support.slack_validator import faults
from tests.support.stage import LANGUAGES, stage

UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
settings.register_profile("short", deadline=None, max_examples=50, suppress_health_check=UNHURRIED)
settings.register_profile("long", parent=settings.get_profile("short"), max_examples=4_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

HOSTILE = (
    "<!channel> <!here> <!everyone> <@U012AB3CD> <!subteam^S012AB3CD>",
    "<https://evil.example|AWS Support> https://evil.example/reset",
    "<!date^0^{date}|yesterday>",
    "&lt;!channel&gt; &amp; & && &#60;",
    "alice\n*User*\nroot\r\n\u2028\u2029\x00\x07\x1b[31m",
    "\u202e\u2066gnp.tset\u2069\u202c\u200b\ufeff\u200d",
    "```code``` `code` *bold* _it_ ~no~ :bomb: > quote",
    "日本語*太字*`コード`한국어*굵게*`코드`",
    "\ud800 lone \udfff",
    "{who} {0} {} %s \\u003c $(id)",
    "&" * 5_000,
    "<" * 100_000,
    "\u202e" * 100_000,
    " ",
    "",
)
NAMES = sorted(
    {name for found in EVENTS for path in paths(event(found)) for name in path}
    | KNOWN_EVENTS
    | {"password", "SessionToken", "secret_access_key"}
)
TEXT = st.one_of(
    st.sampled_from(HOSTILE),
    st.sampled_from(["Success", "Failure", "true", "Yes", "No", "PASSWORD,TOTP", *NAMES]),
    st.text(max_size=60),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=20),
)
SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT
)
JSON = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(NAMES), TEXT), inner, max_size=6),
    ),
    max_leaves=20,
)


def nested(depth: int) -> dict[str, Any]:
    """Return an object so deep that a careless reader runs out of stack."""
    found: dict[str, Any] = {"eventName": "ConsoleLogin"}
    for _ in range(depth):
        found = {"detail": {"userIdentity": found}}
    return found


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """Return a real event with some fields removed, swapped, nulled, mistyped, huge or hostile."""
    found = event(draw(st.sampled_from(EVENTS)))
    for _ in range(draw(st.integers(0, 5))):
        places = list(paths(found))
        if not places:
            break
        path = draw(st.sampled_from(places))
        match draw(st.sampled_from(["remove", "swap", "replace", "deepen", "hostile"])):
            case "remove":
                found = without(found, *path)
            case "swap":
                other = draw(st.sampled_from(places))
                found = changed(found, *path, to=_at(found, other))
            case "replace":
                found = changed(found, *path, to=draw(JSON))
            case "deepen":
                found = changed(found, *path, to=nested(draw(st.sampled_from([2, 50, 120]))))
            case _:
                found = changed(found, *path, to=draw(TEXT))
    return found


def _at(found: Any, path: tuple[str, ...]) -> Any:  # noqa: ANN401 — any JSON
    for key in path:
        found = found[key]
    return found


STAGES = {
    (language, mention): stage(MESSAGE_LANGUAGE=language, CRITICAL_MENTION=mention)
    for language in LANGUAGES
    for mention in ("", "here", "U012AB3CD", "S012AB3CD")
}
MENTIONS = {"": None, "here": "<!here>", "U012AB3CD": "<@U012AB3CD>"}
MENTIONS["S012AB3CD"] = "<!subteam^S012AB3CD>"
EVENT = st.one_of(spoiled(), JSON)
LATE = st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(days=400)))


@given(found=EVENT, chosen=st.sampled_from(sorted(STAGES)), late=LATE)
def test_any_event_gives_a_message_that_slack_takes_and_that_harms_nobody(
    found: object, chosen: tuple[str, str], late: timedelta | None
) -> None:
    assessed = assess(read_sign_in(found))
    message = sign_in_message(assessed, STAGES[chosen], late)
    mention = MENTIONS[chosen[1]] if assessed.severity is Severity.CRITICAL else None
    assert faults(message.payload, mention=mention) == []
    assert faults(plain_alert(assessed, STAGES[chosen]).payload, mention=mention) == []


MARKUP = st.text(alphabet="*_~:`>&< ab1가あ", min_size=1, max_size=12)


@given(name=MARKUP, agent=MARKUP, reason=MARKUP, chosen=st.sampled_from(sorted(STAGES)))
def test_no_markup_from_outside_is_rendered(
    name: str, agent: str, reason: str, chosen: tuple[str, str]
) -> None:
    found = event("iam-user-wrong-password")
    found["detail"] |= {"userAgent": agent, "errorMessage": reason}
    found["detail"]["userIdentity"] |= {"userName": name}
    message = sign_in_message(_assessed(found), STAGES[chosen], None)
    assert faults(message.payload) == []


@given(many=st.lists(EVENT, min_size=1, max_size=6), chosen=st.sampled_from(sorted(STAGES)))
def test_any_events_give_digests_that_slack_takes_and_that_count_each_once(
    many: list[object], chosen: tuple[str, str]
) -> None:
    # The notifier never folds what is critical, so a digest has nobody to mention.
    assessed = [
        sign_in for sign_in in map(_assessed, many) if sign_in.severity is not Severity.CRITICAL
    ]
    built = digests(assessed, STAGES[chosen])
    for message, _ in built:
        assert faults(message.payload) == []
        assert faults(message.fallback) == []
    members = [member for _, page in built for member in page]
    assert sorted(map(id, members)) == sorted(map(id, assessed))


def _assessed(found: object) -> AssessedSignIn:
    return assess(read_sign_in(found))


SECRET = "s3cr3t-of-a-session"
CREDENTIALS = ("SessionToken", "secretAccessKey", "credentials", "id_token", "SAMLResponse", "code")


@given(
    found=spoiled(),
    key=st.sampled_from(CREDENTIALS),
    place=st.integers(0, 10_000),
    wrapped=st.sampled_from([SECRET, [SECRET], {"a": {"b": SECRET}}, {SECRET: 1}]),
)
def test_what_is_redacted_holds_no_credential_and_is_always_json(
    found: dict[str, Any], key: str, place: int, wrapped: object
) -> None:
    objects = [path for path in paths(found) if isinstance(_at(found, path), dict)]
    above = ((), *objects)[place % (len(objects) + 1)]
    leaky = changed(found, *above, key, to=wrapped)
    redacted = redact(leaky)
    assert SECRET not in json.dumps(redacted)
    assert SECRET not in repr(read_sign_in(leaky))
    message = sign_in_message(_assessed(leaky), STAGES["en", ""], None)
    assert SECRET not in json.dumps([message.payload, message.fallback])


@given(found=EVENT)
@example(found={"detail": {"eventName": "https://portal.example/?auth_code=hush"}})
def test_what_is_redacted_reads_as_the_same_sign_in(found: object) -> None:
    whole, redacted = read_sign_in(found), read_sign_in(redact(found))
    assert redact(asdict(replace(whole, excerpt=None))) == asdict(replace(redacted, excerpt=None))
    assert (whole.excerpt is None) == (redacted.excerpt is None)


UNKNOWN_KIND = event("event-never-seen-before")
UNKNOWN_KIND["detail"]["responseElements"] = {"DeviceTrustEstablished": "Failure"}


@given(found=EVENT)
@example(found=UNKNOWN_KIND)
@example(found=event("federated-user"))
def test_the_essence_of_an_event_is_small_json_and_reads_as_the_same_sign_in(found: object) -> None:
    cut = trim(found)
    assert len(json.dumps(cut)) < 256 * 1024
    whole, small = read_sign_in(found), read_sign_in(cut)
    # An excerpt shows the record as it came: of what is trimmed, the trimmed part.
    assert replace(whole, excerpt=None) == replace(small, excerpt=None)
    assert (whole.excerpt is None) == (small.excerpt is None)
