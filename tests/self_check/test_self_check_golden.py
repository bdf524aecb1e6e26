"""The messages of self-checks, whole, in every language: tests/golden/self-check-*.json.

`make golden` rewrites them.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chalicelib.health.result import CheckResult, FaultId, Status
from chalicelib.messages.payload import Payload
from chalicelib.messages.sign_in import sign_in_message
from chalicelib.reports import report_in
from chalicelib.self_check.findings import DETAIL_TYPE, Findings, Week
from chalicelib.settings import Settings
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.redaction import redact
from chalicelib.signin.severity import assess
from playground.aws.deployment import PROJECT
from playground.slack.rules import refusal
from tests.support.records import event
from tests.support.stage import LANGUAGES, stage

GOLDEN = PROJECT / "tests" / "golden"
SCHEDULE = {"id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "time": "2026-06-01T09:00:00Z"}

TRAIL = CheckResult.fault(
    "trail",
    "trail_stopped",
    "aws cloudtrail start-logging --region us-east-1 --name management-events",
    "management-events",
)
FORWARDS = [
    CheckResult.fault(
        "forward", "forward_missing", "python -m ops regions --stage prod --apply", region=region
    )
    for region in ("ap-northeast-2", "eu-west-1", "sa-east-1")
]
QUEUE = CheckResult.fault(
    "queue",
    "queue_stuck",
    "aws logs tail /aws/lambda/signin-monitor-prod-on_undelivered --region us-east-1 --since 1h",
    "signin-monitor-prod-undelivered",
    depth="37",
)
HOSTILE = CheckResult.fault("trail", "trail_stopped", "echo `<!channel>`", "<!channel> *now* `x`")
DENIED = [
    CheckResult(
        check="history",
        status=Status.UNKNOWN,
        code="denied",
        facts={"action": "cloudtrail:LookupEvents", "error": "AccessDeniedException"},
        region=region,
    )
    for region in ("eu-west-3", "me-south-1")
]
WEEK = Week(
    posted=41,
    ignored=112,
    found=2,
    waiting=1,
    last_posted=datetime(2026, 5, 31, 22, 14, 3, tzinfo=UTC),
    familiar=98,
    people=7,
)
QUIET = Week(posted=0, ignored=0, found=0, waiting=0, last_posted=None)

PROD = Findings(account_id="111122223333")
CASES = {
    "new": replace(PROD, new=[TRAIL, *FORWARDS], unknown=DENIED),
    "ongoing": replace(PROD, ongoing=[QUEUE]),
    "new-and-resolved": replace(
        PROD,
        new=FORWARDS,
        resolved=[TRAIL.fault_id],
        uncovered=[result.region or "" for result in FORWARDS],
        week=WEEK,
    ),
    "resolved": replace(
        PROD,
        resolved=[
            TRAIL.fault_id,
            *(result.fault_id for result in FORWARDS),
            FaultId("queue", "of_an_older_release", None, "signin-monitor-prod-undelivered"),
        ],
    ),
    "heartbeat": replace(PROD, week=WEEK, uncovered=["eu-west-1"], unknown=DENIED),
    "heartbeat-quiet": replace(PROD, week=QUIET),
    "hostile": replace(PROD, new=[HOSTILE], resolved=[HOSTILE.fault_id]),
}


def settings_in(language: str) -> Settings:
    return stage(
        MESSAGE_LANGUAGE=language,
        ACCOUNT_NAMES='{"111122223333": "prod"}',
        CRITICAL_MENTION="here",
    )


def compare(payload: Payload, name: str, request: pytest.FixtureRequest) -> None:
    written = json.dumps(payload, indent=2, ensure_ascii=False) + "\n"
    file = GOLDEN / f"{name}.json"
    if request.config.getoption("--rewrite-golden", default=False):
        file.write_text(written, encoding="utf-8")
    assert written == file.read_text(encoding="utf-8")
    assert refusal(payload) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", CASES)
def test_a_self_check_reads_as_its_golden_file(
    case: str, language: str, request: pytest.FixtureRequest
) -> None:
    findings = CASES[case]
    report = json.loads(json.dumps(redact(findings.to_event(SCHEDULE))))  # as out of the queue
    read = report_in(report)
    assert read
    message = read.message(settings_in(language))
    assert message.severity is findings.severity
    compare(message.payload, f"self-check-{case}.{language}", request)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_sign_in_that_it_found_reads_as_its_golden_file(
    language: str, request: pytest.FixtureRequest
) -> None:
    late = event("root-without-mfa") | {"found-by": "self-check", "found-cause": "forward"}
    delay = datetime(2026, 5, 4, 11, tzinfo=UTC) - datetime(2026, 5, 4, 2, tzinfo=UTC)
    message = sign_in_message(assess(read_sign_in(late)), settings_in(language), delay)
    compare(message.payload, f"self-check-found.{language}", request)


@pytest.mark.parametrize(
    "detail",
    [
        None,
        {"new": "everything", "week": [], "uncovered": 3},
        {"new": [1, {"check": None}], "resolved": [{}, []], "week": {"posted": "many"}},
    ],
)
def test_a_report_that_is_none_stops_nothing(detail: object) -> None:
    report = report_in({"detail-type": DETAIL_TYPE, "account": 1, "detail": detail})
    assert report
    if not detail:
        assert refusal(report.message(stage()).payload) is None
