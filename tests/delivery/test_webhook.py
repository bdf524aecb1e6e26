"""The KMS-backed webhook lookup, against a real KMS API wherever moto can fail as AWS does."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from chalicelib.aws.json_protocol import JSONClient
from chalicelib.delivery.webhook import CRITICAL, MAIN, Webhook, WebhookLookup
from chalicelib.errors import AWSUnreachable, WebhookError, WebhookUnavailable, WebhookUnusable
from chalicelib.settings import SLACK_HOSTS
from playground.aws.embedded import EmbeddedAws
from tests.support.json_client import ScriptedClient, client_of, decrypted, refused
from tests.support.stage import stage

URL = "https://hooks.slack.com/services/T0/B0/fake"
KEY = "alias/signin-monitor-prod"
CONTEXT = {"app": "signin-monitor", "stage": "prod"}
CONTEXT_SETTING = '{"app": "signin-monitor", "stage": "prod"}'


@pytest.fixture
def aws(aws: EmbeddedAws) -> EmbeddedAws:
    aws.make_key(KEY)
    return aws


def looked_up(aws: EmbeddedAws, text: str, context: Mapping[str, str] = CONTEXT) -> Webhook:
    settings = stage(
        WEBHOOK_URL_ENCRYPTED=aws.encrypt(text, KEY, context),
        WEBHOOK_ENCRYPTION_CONTEXT=CONTEXT_SETTING if context else "",
    )
    return WebhookLookup(client_of(aws, "kms"), settings).webhook(MAIN)


def parsed(text: str, host: str, setting: str = MAIN) -> Webhook:
    return Webhook.parse(text, stage(WEBHOOK_HOSTS=host), setting)


def refusal(kms: JSONClient, setting: str = MAIN, **variables: str) -> WebhookError:
    with pytest.raises(WebhookError) as raised:
        WebhookLookup(kms, stage(**variables)).webhook(setting)
    return raised.value


def refusal_of(code: str, status: int = 400, message: str = "") -> WebhookError:
    """Return the error of a KMS that refuses so: moto never does."""
    kms = ScriptedClient(refused(code, status=status, message=message))
    return refusal(kms, WEBHOOK_ENCRYPTION_CONTEXT=CONTEXT_SETTING)


@pytest.mark.parametrize("context", [CONTEXT, {}])
def test_a_webhook_is_decrypted_with_and_without_an_encryption_context(
    context: dict[str, str], aws: EmbeddedAws
) -> None:
    assert looked_up(aws, URL, context).reveal() == URL


@pytest.mark.parametrize("text", [URL.removeprefix("https:"), f"{URL}\n", f" {URL[6:]}\r\n"])
def test_the_plaintext_may_be_written_as_in_the_article(text: str, aws: EmbeddedAws) -> None:
    assert looked_up(aws, text).reveal() == URL


def test_the_critical_webhook_has_a_ciphertext_of_its_own(aws: EmbeddedAws) -> None:
    settings = stage(
        WEBHOOK_URL_ENCRYPTED=aws.encrypt(f"{URL}/main", KEY),
        CRITICAL_WEBHOOK_URL_ENCRYPTED=aws.encrypt(f"{URL}/critical", KEY),
    )
    lookup = WebhookLookup(client_of(aws, "kms"), settings)
    assert lookup.webhook(MAIN).reveal() == f"{URL}/main"
    assert lookup.webhook(CRITICAL).reveal() == f"{URL}/critical"
    assert lookup.webhook(MAIN).reveal() == f"{URL}/main"


def test_a_webhook_is_decrypted_once_until_it_is_forgotten() -> None:
    kms = ScriptedClient(decrypted(f"{URL}/old"), decrypted(f"{URL}/new"))
    lookup = WebhookLookup(kms, stage())
    assert lookup.webhook(MAIN).reveal() == f"{URL}/old"
    assert lookup.webhook(MAIN).reveal() == f"{URL}/old"
    lookup.forget(MAIN)
    assert lookup.webhook(MAIN).reveal() == f"{URL}/new"
    assert [action for action, _ in kms.calls] == ["Decrypt", "Decrypt"]


def test_a_lookup_that_failed_is_made_again() -> None:
    kms = ScriptedClient(refused("ThrottlingException"), decrypted(URL))
    lookup = WebhookLookup(kms, stage())
    with pytest.raises(WebhookUnavailable):
        lookup.webhook(MAIN)
    assert lookup.webhook(MAIN).reveal() == URL


@pytest.mark.parametrize(
    ("encrypted_under", "decrypted_under"),
    [(CONTEXT, ""), ({}, CONTEXT_SETTING), (CONTEXT, '{"app": "signin-monitor", "stage": "dev"}')],
)
def test_another_encryption_context_names_the_setting_and_the_remedy(
    encrypted_under: dict[str, str], decrypted_under: str, aws: EmbeddedAws
) -> None:
    failure = refusal(
        client_of(aws, "kms"),
        WEBHOOK_URL_ENCRYPTED=aws.encrypt(URL, KEY, encrypted_under),
        WEBHOOK_ENCRYPTION_CONTEXT=decrypted_under,
    )
    assert isinstance(failure, WebhookUnusable)
    assert failure.reason == "kms_invalid_ciphertext"
    assert "WEBHOOK_URL_ENCRYPTED" in str(failure)
    assert "another encryption context than WEBHOOK_ENCRYPTION_CONTEXT" in str(failure)
    assert str(stage(WEBHOOK_ENCRYPTION_CONTEXT=decrypted_under).webhook_encryption_context) in str(
        failure
    )
    assert "python -m ops setup --stage prod --rotate-webhook" in str(failure)


def test_a_damaged_ciphertext_names_the_setting_and_the_remedy(aws: EmbeddedAws) -> None:
    whole = base64.b64decode(aws.encrypt(URL, KEY))
    failure = refusal(
        client_of(aws, "kms"),
        CRITICAL,
        CRITICAL_WEBHOOK_URL_ENCRYPTED=base64.b64encode(whole[:-9]).decode(),
    )
    assert isinstance(failure, WebhookUnusable)
    assert failure.reason == "kms_invalid_ciphertext"
    assert "decrypt CRITICAL_WEBHOOK_URL_ENCRYPTED" in str(failure)
    assert "It is damaged" in str(failure)
    assert "python -m ops setup --stage prod --critical-webhook" in str(failure)


AGAIN = "Encrypt the URL again: python -m ops setup --stage prod --rotate-webhook"
NO_KEY = (
    "The ciphertext refers to a customer master key that does not exist, does not exist in this "
    "region, or you are not allowed to access."
)
ENABLE = "Enable it: aws kms cancel-key-deletion, then aws kms enable-key."
POLICIES = "python -m ops policies --stage prod, then chalice deploy --stage prod"


@pytest.mark.parametrize(
    ("code", "message", "reason", "words"),
    [
        (
            "AccessDeniedException",
            NO_KEY,
            "kms_key_not_found",
            (
                "no key for WEBHOOK_URL_ENCRYPTED in region us-east-1",
                "account that the function's role may use. Correct SIGN_IN_REGION. Or let the role",
                POLICIES,
                AGAIN,
            ),
        ),
        (
            "AccessDeniedException",
            "User: arn:… is not authorized to perform",
            "kms_access_denied",
            (
                "decrypt WEBHOOK_URL_ENCRYPTED",
                str(CONTEXT),
                POLICIES,
                "up to five minutes to count. Or the key is another",
                AGAIN,
            ),
        ),
        (
            "NotFoundException",
            "",
            "kms_key_not_found",
            (
                "encrypted WEBHOOK_URL_ENCRYPTED is not in region us-east-1",
                "Correct SIGN_IN_REGION",
            ),
        ),
        ("IncorrectKeyException", "", "kms_key_not_found", ("Correct SIGN_IN_REGION",)),
        ("DisabledException", "", "kms_key_disabled", (ENABLE,)),
        ("KMSInvalidStateException", "", "kms_key_disabled", (ENABLE,)),
        (
            "DryRunOperationException",
            "",
            "kms_refused",
            (
                "WEBHOOK_URL_ENCRYPTED: DryRunOperationException",
                "python -m ops doctor --stage prod",
            ),
        ),
    ],
)
def test_a_refusal_of_kms_calls_the_operator_and_names_the_setting_and_the_remedy(
    code: str, message: str, reason: str, words: tuple[str, ...]
) -> None:
    failure = refusal_of(code, message=message)
    assert isinstance(failure, WebhookUnusable)
    assert (failure.reason, failure.act) == (reason, "operator")
    assert [word for word in words if word not in str(failure)] == []


@pytest.mark.parametrize(
    ("why", "reason", "act", "words"),
    [
        ("new_connection_error", "kms_unreachable", "nobody", "KMS in eu-west-1 cannot be asked"),
        ("proxy_407", "proxy_407", "operator", "then: chalice deploy --stage prod."),
    ],
)
def test_a_kms_out_of_reach_calls_the_operator_only_if_the_proxy_refuses(
    why: str, reason: str, act: str, words: str
) -> None:
    kms = ScriptedClient(AWSUnreachable("kms:Decrypt", why))
    failure = refusal(kms, SIGN_IN_REGION="eu-west-1")
    assert (failure.reason, failure.act) == (reason, act)
    assert words in str(failure)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ThrottlingException", 400),
        ("Throttling", 400),
        ("LimitExceededException", 400),
        ("DependencyTimeoutException", 400),
        ("KeyUnavailableException", 400),
        ("KMSInternalException", 500),
        ("SomethingNew", 500),
        ("", 503),
    ],
)
def test_a_busy_or_broken_kms_calls_nobody(code: str, status: int) -> None:
    failure = refusal_of(code, status)
    assert isinstance(failure, WebhookUnavailable)
    assert (failure.reason, failure.act) == ("kms_busy", "nobody")
    assert "did not decrypt WEBHOOK_URL_ENCRYPTED" in str(failure)
    assert code in str(failure)


@pytest.mark.parametrize("answer", [{}, {"Plaintext": 7}, {"Plaintext": "="}])
def test_an_answer_without_a_plaintext_calls_nobody(answer: dict[str, Any]) -> None:
    failure = refusal(ScriptedClient(answer))
    assert (failure.reason, failure.act) == ("kms_unreachable", "nobody")
    assert "asked for WEBHOOK_URL_ENCRYPTED" in str(failure)
    assert "no plaintext" in str(failure)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "hooks.slack.com/services/T0/B0/fake",
        "ftp://hooks.slack.com/services/T0/B0/fake",
        "https:///services/T0/B0/fake",
        "https://hooks.slack.com",
        "https://hooks.slack.com/",
        "https://user@hooks.slack.com/services/T0/B0/fake",
        "https://hooks.slack.com/services/T0/B0/fa ke",
        "https://hooks.slack.com/services/T0/B0/fäke",
        "https://hooks.släck.com/services/T0/B0/fake",
        f"{URL}\n{URL}",
        f"see {URL}",
    ],
)
def test_a_plaintext_that_is_no_url_names_the_setting_and_the_remedy(
    text: str, aws: EmbeddedAws
) -> None:
    failure = refusal(
        client_of(aws, "kms"),
        CRITICAL,
        CRITICAL_WEBHOOK_URL_ENCRYPTED=aws.encrypt(text or " ", KEY),
    )
    assert isinstance(failure, WebhookUnusable)
    assert failure.reason == "webhook_not_a_url"
    assert str(failure) == (
        "What CRITICAL_WEBHOOK_URL_ENCRYPTED decrypts to is no webhook URL such as "
        "https://hooks.slack.com/services/…. Encrypt the right one: "
        "python -m ops setup --stage prod --critical-webhook, then chalice deploy --stage prod."
    )


def test_a_plaintext_that_is_no_text_is_no_url() -> None:
    answer = {"Plaintext": base64.b64encode(b"https://hooks.slack.com/\xff\xfe").decode()}
    assert refusal(ScriptedClient(answer)).reason == "webhook_not_a_url"


@pytest.mark.parametrize(
    "host",
    [
        "hooks.slack.com.evil.example",
        "evil-hooks.slack.com",
        "hooks.slack.com:8443",
        "slack.com",
        "127.0.0.1:80",
    ],
)
def test_a_host_is_compared_whole_and_a_host_that_is_not_allowed_stays_secret(
    host: str, aws: EmbeddedAws
) -> None:
    with pytest.raises(WebhookUnusable) as raised:
        looked_up(aws, f"https://{host}/services/T0/B0/fake")
    assert raised.value.reason == "webhook_host_not_allowed"
    assert str(raised.value) == (
        "The webhook of WEBHOOK_URL_ENCRYPTED is on another host than WEBHOOK_HOSTS names. Add its "
        "host there, or encrypt another webhook: python -m ops setup --stage prod "
        "--rotate-webhook, then chalice deploy --stage prod."
    )


@pytest.mark.parametrize("host", sorted(SLACK_HOSTS))
def test_slacks_two_hosts_are_allowed_by_themselves(host: str, aws: EmbeddedAws) -> None:
    webhook = looked_up(aws, f"https://{host}/services/T0/B0/fake")
    assert (webhook.host, webhook.origin) == (host, f"https://{host}/")


def test_upper_and_lower_case_do_not_make_another_host() -> None:
    webhook = parsed("https://Chat.Example:8443//Hooks/Fake", "chat.example:8443")
    assert webhook.reveal() == "https://chat.example:8443//Hooks/Fake"
    assert webhook.host == "chat.example:8443"


@pytest.mark.parametrize("host", ["localhost", "localhost:8090", "127.0.0.9:8090", "[::1]:8090"])
def test_a_webhook_need_not_be_https_on_a_loopback_address(host: str) -> None:
    webhook = parsed(f"http://{host}/fake", host)
    assert (webhook.host, webhook.origin) == (host, f"http://{host}/")


@pytest.mark.parametrize(
    "host", ["chat.example", "localhost.example", "10.0.0.1:8090", "[2001:db8::1]"]
)
def test_a_webhook_on_any_other_host_must_be_https(host: str) -> None:
    with pytest.raises(WebhookUnusable) as raised:
        parsed(f"http://{host}/fake", host, CRITICAL)
    assert raised.value.reason == "webhook_not_https"
    assert "webhook of CRITICAL_WEBHOOK_URL_ENCRYPTED is not https" in str(raised.value)
    assert str(raised.value).endswith(
        " could read it. Replace it by an https one: "
        "python -m ops setup --stage prod --critical-webhook, then chalice deploy --stage prod."
    )
    assert parsed(f"https://{host}/fake", host).origin == f"https://{host}/"


@pytest.mark.parametrize("path", ["/workflows/T0/A0/1/fake", "/triggers/T0/1/fake"])
def test_the_trigger_of_a_workflow_names_the_remedy(path: str, aws: EmbeddedAws) -> None:
    with pytest.raises(WebhookUnusable) as raised:
        looked_up(aws, f"https://hooks.slack.com{path}")
    assert raised.value.reason == "webhook_is_workflow"
    assert "WEBHOOK_URL_ENCRYPTED holds the trigger of a Slack workflow" in str(raised.value)
    assert str(raised.value).endswith(
        " no messages. Make an incoming webhook instead, then: "
        "python -m ops setup --stage prod --rotate-webhook, then chalice deploy --stage prod."
    )


def test_a_webhook_shows_its_host_and_hides_its_path() -> None:
    webhook = Webhook.parse(URL, stage())
    for shown in (repr(webhook), str(webhook), f"{webhook}", repr([webhook])):
        assert "https://hooks.slack.com/…" in shown
        assert "fake" not in shown
    assert webhook.origin == "https://hooks.slack.com/"
    assert not hasattr(webhook, "__dict__")  # so that vars() and its like show nothing


def test_a_key_derived_from_a_webhook_is_of_one_purpose_and_reveals_nothing_of_the_url() -> None:
    webhook, other = Webhook(URL), Webhook(f"{URL}2")
    keys = {webhook.derive_key("a"), webhook.derive_key("b"), other.derive_key("a")}
    assert len(keys) == 3


def test_the_derived_key_is_that_of_rfc_5869_in_every_release() -> None:
    of_another_implementation = "6a3d89fe25c9b775b4972b5c82f1d9d16547b08fee7c1be314bb70ab941de917"
    assert Webhook(URL).derive_key("a").hex() == of_another_implementation
