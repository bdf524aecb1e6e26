"""Each setting of a stage: what it takes, and the sentence for what it does not."""

import base64
from pathlib import Path

import pytest

import chalicelib.settings
from chalicelib.errors import SettingsError
from chalicelib.settings import (
    DEFAULT_IGNORED_EVENTS,
    NAMES,
    SLACK_HOSTS,
    Settings,
    stage_variables,
)

CIPHERTEXT = b"ciphertext of a webhook"
ENCRYPTED = base64.b64encode(CIPHERTEXT).decode()


def settings(**changes: str) -> Settings:
    return Settings.from_environment(
        {"STAGE": "prod", "WEBHOOK_URL_ENCRYPTED": ENCRYPTED, **changes}
    )


def faults(**changes: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as raised:
        settings(**changes)
    return tuple(map(str, raised.value.faults))


def fault(**changes: str) -> str:
    (text,) = faults(**changes)
    return text


def test_a_webhook_and_a_stage_are_enough_and_the_rest_has_defaults() -> None:
    assert settings() == Settings(
        stage="prod",
        sign_in_region="us-east-1",
        webhook_url_encrypted=CIPHERTEXT,
        webhook_encryption_context={},
        critical_webhook_url_encrypted=None,
        webhook_hosts=SLACK_HOSTS,
        slack_channel=None,
        slack_username=None,
        slack_icon_emoji=None,
        message_language="en",
        message_detail="auto",
        minimum_severity="info",
        critical_mention=None,
        runbook_url=None,
        failures="each",
        ignored_events=DEFAULT_IGNORED_EVENTS,
        ignored_principals=(),
        known_networks={},
        baseline_table=None,
        baseline_days=90,
        familiar_sign_ins="post",
        identity_store_id=None,
        organization_id=None,
        account_names={},
        log_events=True,
        undelivered_queue=None,
        mfa_audit_schedule=None,
        self_check_schedule=None,
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_setting_counts_as_unset(name: str) -> None:
    if name not in ("STAGE", "WEBHOOK_URL_ENCRYPTED"):
        assert settings(**{name: " "}) == settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("STAGE", "dev-2", "dev-2"),
        ("SIGN_IN_REGION", "eu-west-1", "eu-west-1"),
        ("SIGN_IN_REGION", "us-gov-west-1", "us-gov-west-1"),
        ("SIGN_IN_REGION", "cn-north-1", "cn-north-1"),
        ("WEBHOOK_URL_ENCRYPTED", f" {ENCRYPTED}\n", CIPHERTEXT),
        ("WEBHOOK_ENCRYPTION_CONTEXT", '{"app": "x"}', {"app": "x"}),
        ("CRITICAL_WEBHOOK_URL_ENCRYPTED", ENCRYPTED, CIPHERTEXT),
        (
            "WEBHOOK_HOSTS",
            "Chat.Example.com, 127.0.0.1:8090",
            {"chat.example.com", "127.0.0.1:8090"},
        ),
        ("WEBHOOK_HOSTS", "[::1]:8090", {"[::1]:8090"}),
        ("SLACK_CHANNEL", "#보안", "#보안"),
        ("SLACK_USERNAME", "AWSアカウントモニターBot", "AWSアカウントモニターBot"),
        ("SLACK_ICON_EMOJI", ":ghost:", ":ghost:"),
        ("MESSAGE_LANGUAGE", "JA", "ja"),
        ("MESSAGE_DETAIL", "Full", "full"),
        ("RUNBOOK_URL", "https://wiki.example/a?b=c&d", "https://wiki.example/a?b=c&d"),
        ("MINIMUM_SEVERITY", "warning", "warning"),
        ("CRITICAL_MENTION", "here", "here"),
        ("CRITICAL_MENTION", "U012AB3CD", "U012AB3CD"),
        ("CRITICAL_MENTION", "S012AB3CD", "S012AB3CD"),
        ("IGNORED_EVENTS", "CheckMfa, RenewRole,", {"CheckMfa", "RenewRole"}),
        (
            "IGNORED_PRINCIPALS",
            "arn:aws:iam::111122223333:role/Deploy*,arn:aws:iam::*:user/robot",
            ("arn:aws:iam::111122223333:role/Deploy*", "arn:aws:iam::*:user/robot"),
        ),
        ("ACCOUNT_NAMES", '{"111122223333": "prod"}', {"111122223333": "prod"}),
        (
            "KNOWN_NETWORKS",
            '{"203.0.113.0/24": "서울 사무실", "2001:db8::/48": "lab", "198.51.100.7": "VPN"}',
            {"203.0.113.0/24": "서울 사무실", "2001:db8::/48": "lab", "198.51.100.7": "VPN"},
        ),
        ("BASELINE_TABLE", "signin-monitor-prod-baseline", "signin-monitor-prod-baseline"),
        ("BASELINE_DAYS", "30", 30),
        ("IDENTITY_STORE_ID", "d-99672a3b1c", "d-99672a3b1c"),
        ("LOG_EVENTS", "False", False),
        ("LOG_EVENTS", "true", True),
        ("UNDELIVERED_QUEUE", "signin-monitor-prod", "signin-monitor-prod"),
        ("MFA_AUDIT_SCHEDULE", "cron(0 9 ? * MON *)", "cron(0 9 ? * MON *)"),
        ("SELF_CHECK_SCHEDULE", "rate(1 day)", "rate(1 day)"),
        ("SELF_CHECK_SCHEDULE", "rate(15 minutes)", "rate(15 minutes)"),
    ],
)
def test_a_setting_is_read(name: str, text: str, value: object) -> None:
    assert getattr(settings(**{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("STAGE", "my stage", "must be the stage's name"),
        ("STAGE", "s" * 33, "at most 32"),  # EventBridge's rule would have too long a name
        ("SIGN_IN_REGION", "Virginia", "must name an AWS region such as us-east-1"),
        ("SIGN_IN_REGION", "us-east-1a", "must name an AWS region"),
        ("WEBHOOK_URL_ENCRYPTED", "https://hooks.slack.com/services/T0/B0/fake", "is not base64"),
        ("CRITICAL_WEBHOOK_URL_ENCRYPTED", "half-", "replace the webhook"),
        ("WEBHOOK_ENCRYPTION_CONTEXT", "app=x", "must be a JSON object"),
        ("WEBHOOK_ENCRYPTION_CONTEXT", '["app"]', "must be a JSON object"),
        ("WEBHOOK_ENCRYPTION_CONTEXT", '{"app": 1}', "must be a JSON object of strings"),
        ("WEBHOOK_HOSTS", "https://hooks.slack.com", "with no scheme or path"),
        ("WEBHOOK_HOSTS", "hooks.slack.com/services", "with no scheme or path"),
        ("SLACK_CHANNEL", "#a\n#b", "one line of at most 80 characters"),
        ("SLACK_USERNAME", "x" * 81, "one line of at most 80 characters"),
        ("SLACK_ICON_EMOJI", "ghost", "between colons, such as :ghost:"),
        ("MESSAGE_LANGUAGE", "de", "must be one of en, ja, ko"),
        ("MESSAGE_DETAIL", "short", "must be one of auto, full"),
        ("RUNBOOK_URL", "http://wiki.example", "begins with https://"),
        ("RUNBOOK_URL", "https://wiki.example/a|b", "with no space"),
        ("MINIMUM_SEVERITY", "high", "must be one of info, warning, critical"),
        ("CRITICAL_MENTION", "@alice", "Slack does not ping names"),
        ("FAILURES", "none", "must be one of each, digest"),
        ("IGNORED_EVENTS", "CheckMfa;RenewRole", "such as CheckMfa,RenewRole"),
        ("IGNORED_PRINCIPALS", "Deploy*", "patterns on whole ARNs"),
        (
            "IGNORED_PRINCIPALS",
            "arn:aws:sts::111122223333:assumed-role/Admin/*",
            "ARNs of IAM users or roles",
        ),
        (
            "ACCOUNT_NAMES",
            "prod",
            'must be a JSON object of strings, such as {"111122223333": "prod"}',
        ),
        ("ACCOUNT_NAMES", '{"prod": "111122223333"}', "by their 12 digits"),
        ("ACCOUNT_NAMES", "@../app.py", "must name a file in chalicelib"),
        ("ACCOUNT_NAMES", "@nothing.json", "names chalicelib/nothing.json, which cannot be read"),
        ("KNOWN_NETWORKS", "203.0.113.0/24", "must be a JSON object of strings"),
        ("KNOWN_NETWORKS", '{"Seoul": "203.0.113.0/24"}', 'such as {"203.0.113.0/24"'),
        ("KNOWN_NETWORKS", '{"203.0.113.5/24": "Seoul"}', "203.0.113.5/24 has host bits set"),
        ("KNOWN_NETWORKS", '{"203.0.113.0/24": " "}', "203.0.113.0/24 no name"),
        ("KNOWN_NETWORKS", '{"203.0.113.0/24": "a\\nb"}', "one line of at most 80 characters"),
        (
            "KNOWN_NETWORKS",
            '{"2001:db8::/32": "a", "2001:0db8::/32": "b"}',
            "the network 2001:db8::/32 twice",
        ),
        ("KNOWN_NETWORKS", "@networks.json", "names chalicelib/networks.json"),
        ("BASELINE_TABLE", "arn:aws:dynamodb:us-east-1:1:table/t", "not its ARN"),
        ("BASELINE_DAYS", "0", "at least 1"),
        ("ORGANIZATION_ID", "r-a1b2", "such as o-a1b2c3d4e5"),
        ("IDENTITY_STORE_ID", "ssoins-72231a2b3c4d5e6f", "such as d-1234567890"),
        ("LOG_EVENTS", "yes", "must be one of true, false"),
        ("UNDELIVERED_QUEUE", "https://sqs.us-east-1.amazonaws.com/1/q", "not its URL or ARN"),
        ("UNDELIVERED_QUEUE", "queue.fifo", "standard SQS queue"),
        ("MFA_AUDIT_SCHEDULE", "weekly", "must be rate(…) or cron(…)"),
        ("MFA_AUDIT_SCHEDULE", "rate(1 days)", "must be rate(…) or cron(…)"),
        ("SELF_CHECK_SCHEDULE", "cron(0 9 * *)", "must be rate(…) or cron(…)"),
    ],
)
def test_a_wrong_setting_is_named_with_its_remedy(name: str, text: str, remedy: str) -> None:
    said = fault(**{name: text})
    assert said.startswith(f"{name} ")
    assert remedy in said


def test_a_missing_webhook_is_reported_with_the_command_that_makes_it() -> None:
    missing = fault(WEBHOOK_URL_ENCRYPTED="")
    assert missing.startswith("WEBHOOK_URL_ENCRYPTED is missing.")
    assert missing.endswith("python -m ops setup --stage prod")


def test_every_fault_is_reported_at_once_a_line_each() -> None:
    wrong = {"MESSAGE_LANGUAGE": "de", "FAILURES": "none", "WEBHOOK_URL_ENCRYPTED": ""}
    with pytest.raises(SettingsError) as raised:
        settings(**wrong)
    first, *lines = str(raised.value).splitlines()
    assert first == "The settings are wrong."
    assert {line.split()[1] for line in lines} == set(wrong)


def test_no_fault_repeats_the_webhook() -> None:
    url = "https://hooks.slack.com/services/T0/B0/fake"
    assert "T0/B0" not in str(faults(WEBHOOK_URL_ENCRYPTED=url, CRITICAL_WEBHOOK_URL_ENCRYPTED=url))


def test_settings_do_not_show_their_ciphertexts() -> None:
    shown = repr(settings(CRITICAL_WEBHOOK_URL_ENCRYPTED=ENCRYPTED))
    assert "ciphertext" not in shown
    assert ENCRYPTED not in shown


def test_a_digest_of_failures_needs_a_queue_to_wait_in() -> None:
    assert "needs UNDELIVERED_QUEUE" in fault(FAILURES="digest")
    assert settings(FAILURES="digest", UNDELIVERED_QUEUE="q").failures == "digest"


def test_familiar_sign_ins_are_ignored_only_where_a_table_remembers_them() -> None:
    assert "needs BASELINE_TABLE" in fault(FAMILIAR_SIGN_INS="ignore")
    stage = settings(FAMILIAR_SIGN_INS="ignore", BASELINE_TABLE="people")
    assert stage.familiar_sign_ins == "ignore"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("WEBHOOK_HOST", "WEBHOOK_HOSTS"),
        ("IGNORED_EVENT", "IGNORED_EVENTS"),
        ("FAILURE", "FAILURES"),
        ("SLACK_ICON", "SLACK_ICON_EMOJI"),
    ],
)
def test_a_name_that_looks_like_ours_is_a_typing_error(typed: str, meant: str) -> None:
    said = f"{typed} is not a setting of signin-monitor. Did you mean {meant}?"
    assert fault(**{typed: "x"}) == said


def test_a_name_like_ours_that_resembles_none_is_to_be_removed() -> None:
    assert fault(SELF_X="x") == "SELF_X is not a setting of signin-monitor. Remove it."


def test_other_peoples_names_are_let_alone() -> None:
    assert settings(PATH="/bin", AWS_REGION="eu-west-1", HOME="/root") == settings()


def test_outside_of_lambda_a_shells_own_names_are_left_alone() -> None:
    shell = {"STAGE": "dev", "SLACK_TOKEN": "x"}
    assert stage_variables(shell) == (("STAGE", "dev"),)


def test_in_lambda_every_name_is_the_stages() -> None:
    function = {"AWS_LAMBDA_FUNCTION_NAME": "f", "SLACK_TOKEN": "x"}
    assert stage_variables(function) == tuple(function.items())
    assert stage_variables({**function, "_X_AMZN_TRACE_ID": "Root=1"}) == tuple(function.items())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("WEBHOOK_ENCRYPTION_CONTEXT", "[" * 4_000),
        ("WEBHOOK_URL_ENCRYPTED", "é"),
        ("WEBHOOK_URL_ENCRYPTED", "aHR0cHM6Ly9ob29rcy5zbGFjay5jb20v"),
        ("WEBHOOK_HOSTS", ","),
        ("ACCOUNT_NAMES", '{"\\uff11' + "1" * 11 + '": "x"}'),
        ("MFA_AUDIT_SCHEDULE", "cron(0 9 * * * *)"),
    ],
)
def test_what_would_only_fail_later_is_a_fault_at_once(name: str, text: str) -> None:
    assert fault(**{name: text}).startswith(f"{name} ")


@pytest.mark.parametrize("name", NAMES)
def test_the_docs_describe_every_setting(name: str) -> None:
    page = Path(chalicelib.settings.__file__).parent.parent / "docs" / "settings.md"
    table = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    assert any(f"`{name}`" in line.split(" | ")[0] for line in table)


def test_a_misspelt_first_word_is_found() -> None:
    assert "Did you mean SIGN_IN_REGION?" in fault(SIGNIN_REGION="eu-west-1")


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for chalicelib."""
    monkeypatch.setattr(chalicelib.settings, "__file__", str(tmp_path / "settings.py"))
    return tmp_path


def test_account_names_may_stand_in_a_file(beside: Path) -> None:
    names = {f"{number:012}": f"team-{number}" for number in range(300)}
    text = str(names).replace("'", '"')
    (beside / "accounts.json").write_text(text, encoding="utf-8")
    assert settings(ACCOUNT_NAMES="@accounts.json").account_names == names


def test_a_file_of_account_names_is_checked_as_the_setting_is(beside: Path) -> None:
    (beside / "accounts.json").write_text('{"prod": "1"}', encoding="utf-8")
    assert "by their 12 digits" in fault(ACCOUNT_NAMES="@accounts.json")


def test_a_file_of_account_names_that_is_no_text_is_refused(beside: Path) -> None:
    (beside / "accounts.json").write_bytes(b"\xff\xfe\x00")
    said = fault(ACCOUNT_NAMES="@accounts.json")
    assert "cannot be read as text. Put the JSON object there." in said
