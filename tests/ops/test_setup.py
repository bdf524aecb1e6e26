import base64
import json

import pytest

from ops.resources import key
from playground.aws.embedded import ACCOUNT_ID, EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support.cli import WEBHOOK, Cli
from tests.support.strict_aws import StrictAws

SETUP = ("setup", "--stage", "prod", "--home-region-only")
ALIAS = "alias/signin-monitor-prod"
QUEUE = "signin-monitor-prod-undelivered"
CONTEXT = {"app": "signin-monitor", "stage": "prod"}
ANOTHER = "https://hooks.slack.com/services/T0/B0/another"


def decrypted(aws: EmbeddedAws, cli: Cli, name: str = "WEBHOOK_URL_ENCRYPTED") -> str:
    answer = aws.client("kms").decrypt(
        CiphertextBlob=base64.b64decode(cli.settings()[name]), EncryptionContext=CONTEXT
    )
    plaintext: bytes = answer["Plaintext"]
    return plaintext.decode()


def keys(aws: EmbeddedAws) -> list[str]:
    return [key["KeyId"] for key in aws.client("kms").list_keys()["Keys"]]


def nothing_was_made(aws: EmbeddedAws) -> bool:
    return not (
        keys(aws)
        or aws.client("sqs").list_queues().get("QueueUrls")
        or aws.client("sns").list_topics()["Topics"]
        or aws.client("iam").list_roles()["Roles"]
    )


def attributes(aws: EmbeddedAws, name: str = QUEUE) -> dict[str, str]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
        "Attributes"
    ]
    return found


def test_the_webhook_is_encrypted_under_a_key_of_the_stages_own_and_its_context(
    cli: Cli, aws: EmbeddedAws
) -> None:
    assert "Nobody gets the alarms yet" in cli.set_up().text
    kms = aws.client("kms")
    assert decrypted(aws, cli) == WEBHOOK
    assert json.loads(cli.settings()["WEBHOOK_ENCRYPTION_CONTEXT"]) == CONTEXT
    key_id = kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"]
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"]
    assert keys(aws) == [key_id]


def test_the_queue_keeps_a_megabyte_for_14_days_encrypted(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up()
    queue = attributes(aws)
    assert cli.settings()["UNDELIVERED_QUEUE"] == QUEUE
    assert queue["SqsManagedSseEnabled"] == "true"
    assert queue["MessageRetentionPeriod"] == str(14 * 24 * 3600)
    assert queue["MaximumMessageSize"] == str(1024 * 1024)
    assert queue["VisibilityTimeout"] == str(6 * 60 + 60)


def test_only_the_stages_own_functions_may_send_to_the_queue_or_take_from_it(
    cli: Cli, aws: EmbeddedAws
) -> None:
    own = f"arn:aws:iam::{ACCOUNT_ID}:role/own"
    functions = {"on_sign_in": {"manage_iam_role": False, "iam_role_arn": own}}
    cli.edit_stage(lambda_functions=functions)
    cli.set_up()
    allow, deny, taking = json.loads(attributes(aws)["Policy"])["Statement"]
    senders = allow["Condition"]["ArnEquals"]["aws:PrincipalArn"]
    assert own in senders
    assert f"arn:aws:iam::{ACCOUNT_ID}:role/signin-monitor-prod-self_check" in senders
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", "sqs:SendMessage")
    assert deny["Condition"]["ArnNotEquals"]["aws:PrincipalArn"] == senders
    assert (taking["Effect"], "sqs:PurgeQueue" in taking["Action"]) == ("Deny", True)
    (taker,) = taking["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]
    assert taker.endswith(":role/signin-monitor-prod-on_undelivered")


def test_the_alarms_send_by_mail_what_slack_cannot(cli: Cli, aws: EmbeddedAws) -> None:
    text = cli.set_up("--alarm-email", "security@example.com").text
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    watched = {(alarm["MetricName"], alarm["Dimensions"][0]["Value"]) for alarm in alarms}
    assert watched == {
        ("Errors", "signin-monitor-prod-on_sign_in"),
        ("Errors", "signin-monitor-prod-on_undelivered"),
        ("FailedInvocations", "signin-monitor-prod-on_sign_in-event"),
        ("Errors", "signin-monitor-prod-self_check"),
        ("Failed", "prod"),
        ("Parked", "prod"),
        ("ApproximateAgeOfOldestMessage", QUEUE),
    }
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT_ID}:signin-monitor-prod-alarms"
    assert {tuple(alarm["AlarmActions"]) for alarm in alarms} == {(topic,)}
    (subscription,) = aws.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert subscription["Endpoint"] == "security@example.com"
    assert "Nobody gets the alarms" not in text


def test_a_second_run_says_that_there_is_nothing_to_do_and_does_nothing(
    cli: Cli, aws: StrictAws
) -> None:
    cli.set_up("--alarm-email", "security@example.com")
    written = cli.config_file.read_bytes()
    aws.calls.clear()
    again = cli.ops(*SETUP)
    assert again.status == 0
    assert "Nothing to do: the stage prod is set up." in again.text
    assert cli.config_file.read_bytes() == written
    looks = ("Decrypt", "Describe", "Get", "List")
    changes = [action for action in aws.actions() if not action.split(":")[1].startswith(looks)]
    assert changes == []


def test_the_rest_of_the_file_stays_as_it_was(cli: Cli) -> None:
    text = cli.config_file.read_text().replace('"version"', '"xray": true,\n  "version"')
    cli.config_file.write_text(text)
    cli.set_up()
    before, after = text.splitlines(), cli.config_file.read_text().splitlines()
    changed = [line.split('"')[1] for line in after if line not in before]
    assert changed[:2] == ["WEBHOOK_URL_ENCRYPTED", "UNDELIVERED_QUEUE"]
    written = {"FAILURES", "SELF_CHECK_SCHEDULE", "home_region_only", "lambda_timeout"}
    assert written < set(changed)


def test_a_webhook_that_cannot_work_is_refused_before_anything_is_made(
    cli: Cli, aws: EmbeddedAws
) -> None:
    for webhook, said in (
        ("", "none was given"),
        ("hooks.slack.com", "that is no webhook's URL"),
        ("https://example.com/services/T0/B0/fake", "WEBHOOK_HOSTS"),
        ("http://hooks.slack.com/services/T0/B0/fake", "not https"),
        ("https://hooks.slack.com/workflows/T0/A0/1/fake", "trigger of a Slack workflow"),
    ):
        answer = cli.ops("setup", "--stage", "prod", "--yes", "--debug", stdin=f"{webhook}\n")
        assert answer.status == 2
        assert said in answer.text
        assert "fake" not in answer.text
    assert nothing_was_made(aws)


def test_on_a_terminal_the_webhook_is_typed_without_echo_and_the_plan_waits_for_a_yes(
    cli: Cli, aws: EmbeddedAws, receiver: Receiver
) -> None:
    cli.project.configure("prod", {"WEBHOOK_HOSTS": receiver.host})
    with cli.terminal(*SETUP) as terminal:
        for question, answer in (
            ("Email address", "security at example.com"),
            ("looks like security@example.com", ""),
            ("Email address", "security@example.com"),
            ("each person signs in?", "n"),
            ("were missed?", ""),
            ("has no MFA?", "y"),
        ):
            terminal.wait_for(question)
            if answer or "?" in question:
                terminal.type(answer)
        terminal.wait_for("Do it? [y/N]")
        assert nothing_was_made(aws)
        terminal.type("y")
        terminal.wait_for("it is not shown")
        terminal.type("htps://hooks.slack.com/services/T0/B0/fake")
        terminal.wait_for("that is no webhook's URL")
        terminal.wait_for("it is not shown")  # what is typed before the question is discarded
        terminal.type(receiver.url)
        assert terminal.wait() == 0
    assert receiver.path not in terminal.screen
    assert "A test message was posted." in terminal.screen
    assert len(receiver.messages) == 1
    assert decrypted(aws, cli) == receiver.url
    assert cli.settings()["MFA_AUDIT_SCHEDULE"] == "cron(0 9 ? * MON *)"


def test_a_test_message_that_does_not_arrive_is_a_warning(cli: Cli, receiver: Receiver) -> None:
    cli.set_up("--alarm-email", "security@example.com")
    cli.project.configure("prod", {"WEBHOOK_HOSTS": receiver.host})
    receiver.behave("no_service", 1)
    with cli.terminal(*SETUP, "--rotate-webhook") as terminal:
        terminal.wait_for("Do it? [y/N]")
        terminal.type("y")
        terminal.wait_for("it is not shown")
        terminal.type(receiver.url)
        assert terminal.wait() == 0
    assert "The test message did not arrive." in terminal.screen
    assert "python -m ops doctor --stage prod --post-test" in terminal.screen


def test_what_setup_cannot_look_at_or_must_leave_is_said(cli: Cli, aws: StrictAws) -> None:
    cli.set_up("--all-regions")
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"], MessageBody="{}")
    unset = {"UNDELIVERED_QUEUE": "", "FAILURES": "each", "IDENTITY_STORE_ID": ""}
    cli.project.configure("prod", unset)
    aws.deny("sso:ListInstances")
    aws.deny("events:ListRuleNamesByTarget", region="eu-west-1")
    text = cli.ops("setup", "--stage", "prod", "--dry-run").text
    assert f"UNDELIVERED_QUEUE is unset, but {QUEUE} still holds 1 undelivered" in text
    assert "No identity store is seen from this account and region" in text
    assert "Perhaps not covered: eu-west-1. AWS denies events:ListRuleNamesByTarget" in text


def test_without_a_yes_nothing_is_made(cli: Cli, aws: EmbeddedAws) -> None:
    written = cli.config_file.read_bytes()
    with cli.terminal(*SETUP) as terminal:
        for question in ("Email address", "each person", "were missed?", "has no MFA?", "Do it?"):
            terminal.wait_for(question)
            terminal.type("" if "mail" in question else "n")
        assert terminal.wait() == 1
    assert "To do:" in cli.ops("setup", "--stage", "prod", "--dry-run").text
    piped = cli.ops("setup", "--stage", "prod", stdin=f"{WEBHOOK}\n")
    assert piped.status == 2
    assert "Agree with --yes." in piped.text
    assert nothing_was_made(aws)
    assert cli.config_file.read_bytes() == written


def test_the_webhook_is_replaced_and_nothing_else(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up()
    answer = cli.ops(
        *(*SETUP, "--rotate-webhook", "--yes"),
        stdin=f"{ANOTHER}\n",
    )
    assert "  ~ replace the webhook\n" in answer.text
    assert (answer.text.count("  + "), answer.text.count("  ~ ")) == (0, 1)
    assert "chalice deploy --stage prod" in answer.text
    assert decrypted(aws, cli) == ANOTHER


def test_critical_messages_may_have_a_webhook_of_their_own(cli: Cli, aws: EmbeddedAws) -> None:
    answer = cli.ops(
        *(*SETUP, "--critical-webhook", "--yes"),
        stdin=f"{WEBHOOK}\n{ANOTHER}\n",
    )
    assert answer.status == 0
    assert decrypted(aws, cli) == WEBHOOK
    assert decrypted(aws, cli, "CRITICAL_WEBHOOK_URL_ENCRYPTED") == ANOTHER
    before = cli.settings()["WEBHOOK_URL_ENCRYPTED"]
    again = cli.ops("setup", "--stage", "prod", "--critical-webhook", "--yes", stdin=f"{ANOTHER}\n")
    assert "  ~ replace the webhook of critical messages\n" in again.text
    assert "the webhook which the stage has already" in again.text
    assert cli.settings()["WEBHOOK_URL_ENCRYPTED"] == before


def test_what_was_chosen_once_is_remembered(cli: Cli) -> None:
    cli.set_up()
    cli.project.configure("prod", {"UNDELIVERED_QUEUE": "", "FAILURES": "each"})
    again = cli.ops("setup", "--stage", "prod", "--yes").text
    assert "forward sign-ins" not in again
    assert "SQS queue" not in again


@pytest.mark.parametrize("ciphertext", ["AAAA", WEBHOOK])
def test_a_ciphertext_that_cannot_be_read_is_replaced(
    cli: Cli, aws: EmbeddedAws, ciphertext: str
) -> None:
    cli.project.configure("prod", {"WEBHOOK_URL_ENCRYPTED": ciphertext})
    cli.set_up()
    assert decrypted(aws, cli) == WEBHOOK


def test_a_ciphertext_that_the_operator_may_not_read_is_left(cli: Cli, aws: StrictAws) -> None:
    cli.set_up()
    aws.deny("kms:Decrypt")
    again = cli.ops(*SETUP)
    assert "Nothing to do" in again.text


def test_a_ciphertext_that_kms_could_not_open_just_now_is_not_given_up(
    cli: Cli, aws: StrictAws
) -> None:
    cli.set_up()
    written = cli.config_file.read_bytes()
    aws.fail("kms:Decrypt", "KMSInternalException", "try again")
    again = cli.ops(*SETUP, "--yes", stdin=f"{ANOTHER}\n")
    assert (again.status, "AWS refused Decrypt: try again" in again.text) == (2, True)
    assert cli.config_file.read_bytes() == written


def test_in_an_account_without_the_stages_key_the_webhook_is_asked_for_again(
    cli: Cli, aws: StrictAws
) -> None:
    cli.set_up()
    aws.reset()
    aws.deny("kms:Decrypt")
    text = cli.set_up().text
    assert "WEBHOOK_URL_ENCRYPTED holds cannot be decrypted here" in text
    assert "this is the stage's account" in text
    assert decrypted(aws, cli) == WEBHOOK


@pytest.mark.parametrize("action", ["kms:CreateAlias", "kms:Encrypt", "sns:CreateTopic"])
def test_a_run_that_broke_off_is_repeated_to_the_same_end(
    cli: Cli, aws: StrictAws, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key, "PATIENCE", 0)
    aws.deny(action)
    new = cli.ops(*SETUP, "--yes", stdin=f"{WEBHOOK}\n")
    assert new.status == 2
    assert f"AWS denies {action}" in new.text
    assert "Traceback" not in new.text

    aws.clear()
    cli.set_up()
    assert len(keys(aws)) == 1
    assert decrypted(aws, cli) == WEBHOOK
    assert "Nothing to do" in cli.set_up().text


@pytest.mark.parametrize("action", ["kms:EnableKeyRotation", "kms:Encrypt"])
def test_a_right_to_a_new_key_is_waited_for_and_a_right_to_an_old_key_is_not(
    cli: Cli, aws: StrictAws, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.deny(action)
    naps = iter([lambda: None, aws.clear])
    monkeypatch.setattr(key, "sleep", lambda _: next(naps)())
    assert cli.set_up().text.count("AWS does not know the key yet") == 1
    aws.deny("kms:Encrypt")
    denied = cli.ops(*SETUP, "--yes", "--rotate-webhook", stdin=f"{ANOTHER}\n")
    assert denied.status == 2
    assert "takes up to five minutes to count" in denied.text


def test_a_key_that_is_there_gets_the_alias_and_nothing_else(cli: Cli, aws: EmbeddedAws) -> None:
    kms = aws.client("kms")
    own = kms.create_key()["KeyMetadata"]
    cli.set_up("--key", own["Arn"])
    assert kms.describe_key(KeyId=ALIAS)["KeyMetadata"]["KeyId"] == own["KeyId"]
    assert not kms.get_key_rotation_status(KeyId=own["KeyId"])["KeyRotationEnabled"]
    assert decrypted(aws, cli) == WEBHOOK
    assert "Nothing to do" in cli.set_up().text


def test_another_key_takes_over_with_the_webhook_that_is_there(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up()
    other = aws.client("kms").create_key()["KeyMetadata"]
    answer = cli.ops(*(*SETUP, "--yes", "--key", other["KeyId"]))
    assert answer.status == 0, answer.text
    blob = base64.b64decode(cli.settings()["WEBHOOK_URL_ENCRYPTED"])
    opened = aws.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)
    assert (opened["KeyId"], opened["Plaintext"].decode()) == (other["Arn"], WEBHOOK)


@pytest.mark.parametrize("wrong", ["missing", "disabled", "asymmetric"])
def test_a_key_that_cannot_encrypt_is_refused(cli: Cli, aws: EmbeddedAws, wrong: str) -> None:
    kms = aws.client("kms")
    key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"
    if wrong == "disabled":
        key_id = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.disable_key(KeyId=key_id)
    elif wrong == "asymmetric":
        spec = {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}
        key_id = kms.create_key(**spec)["KeyMetadata"]["KeyId"]
    answer = cli.ops("setup", "--stage", "prod", "--yes", "--key", key_id, stdin=WEBHOOK)
    assert answer.status == 2
    assert key_id in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("state", ["disabled", "deleted"])
def test_a_key_that_went_to_sleep_is_woken(cli: Cli, aws: EmbeddedAws, state: str) -> None:
    cli.set_up()
    kms = aws.client("kms")
    (key_id,) = keys(aws)
    if state == "disabled":
        kms.disable_key(KeyId=key_id)
    else:
        kms.schedule_key_deletion(KeyId=key_id)
    cli.set_up()
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"
    assert decrypted(aws, cli) == WEBHOOK


def test_what_was_changed_on_the_queue_is_set_right(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up()
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60"})
    answer = cli.set_up()
    assert "set MessageRetentionPeriod" in answer.text
    assert attributes(aws)["MessageRetentionPeriod"] == str(14 * 24 * 3600)


def test_a_new_stage_may_live_in_another_region(cli: Cli, aws: EmbeddedAws) -> None:
    cli.set_up("--region", "ap-northeast-2", stage="team-a")
    settings = cli.settings("team-a")
    assert (settings["STAGE"], settings["SIGN_IN_REGION"]) == ("team-a", "ap-northeast-2")
    kms = aws.client("kms", "ap-northeast-2")
    assert kms.describe_key(KeyId="alias/signin-monitor-team-a")
    assert cli.chalice("deploy", "--stage", "team-a").status == 0
    functions = aws.client("lambda", "ap-northeast-2").list_functions()["Functions"]
    assert {function["FunctionName"] for function in functions} == {
        "signin-monitor-team-a-on_sign_in",
        "signin-monitor-team-a-on_undelivered",
        "signin-monitor-team-a-self_check",
    }


def test_a_stage_that_is_set_up_does_not_move_to_another_region(cli: Cli) -> None:
    cli.set_up()
    answer = cli.ops("setup", "--stage", "prod", "--region", "eu-west-1")
    assert answer.status == 2
    assert "python -m ops teardown --stage prod" in answer.text


def test_an_alarm_that_the_settings_no_longer_ask_for_is_deleted(
    cli: Cli, aws: EmbeddedAws
) -> None:
    cli.set_up()
    cli.project.configure("prod", {"SELF_CHECK_SCHEDULE": ""})
    answer = cli.set_up()
    assert "  - delete the alarms (1)\n      signin-monitor-prod-errors-self_check" in answer.text
    assert "chalice deploy" not in answer.text  # the functions do not change
    alarms = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert "signin-monitor-prod-errors-self_check" not in str(alarms)
    assert "Nothing to do" in cli.set_up().text


def test_a_stage_without_a_name_is_refused(cli: Cli, aws: EmbeddedAws) -> None:
    answer = cli.ops("setup", "--stage", "", "--yes", stdin=WEBHOOK)
    assert (answer.status, "it has no name" in answer.text) == (2, True)
    assert nothing_was_made(aws)


def test_a_file_that_cannot_be_written_is_named(cli: Cli) -> None:
    (cli.project.path / ".chalice" / "policy-prod.json").mkdir()
    answer = cli.ops(*SETUP, "--yes", stdin=WEBHOOK)
    assert answer.status == 2
    assert "policy-prod.json cannot be read or written: Is a directory." in answer.text


@pytest.mark.parametrize("command", ["setup", "doctor", "regions", "policies", "teardown"])
def test_the_stage_local_needs_nothing_at_aws(cli: Cli, command: str) -> None:
    answer = cli.ops(command, "--stage", "local")
    assert (answer.status, "make demo" in answer.text) == (2, True)


def test_the_webhook_is_no_argument(cli: Cli) -> None:
    answer = cli.ops("setup", "--help")
    assert "standard input" in answer.text
    assert cli.ops("setup", "--stage", "prod", WEBHOOK).status == 2


PLANTED = (
    '{"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": '
    '{"AWS": ["arn:aws:iam::123456789012:root", "arn:aws:iam::666666666666:root"]}}]}'
)


def test_a_key_that_an_interrupted_run_left_is_taken_up_but_none_that_others_may_use(
    cli: Cli, aws: StrictAws
) -> None:
    kms = aws.client("kms")
    tags = [{"TagKey": "signin-monitor", "TagValue": "prod"}]
    planted = kms.create_key(Tags=tags, Policy=PLANTED)["KeyMetadata"]["KeyId"]
    left = kms.create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    assert f"take up the key {left}, which an interrupted run left" in cli.set_up().text
    assert kms.describe_key(KeyId="alias/signin-monitor-prod")["KeyMetadata"]["KeyId"] == left
    assert planted != left
