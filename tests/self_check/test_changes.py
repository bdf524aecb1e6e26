"""Which faults are called resolved, and which are outages."""

import pytest

from chalicelib.health.result import CheckResult, FaultId, Status
from chalicelib.self_check.changes import is_outage, lasting, regions_of, resolved_faults

STOPPED = CheckResult.fault("trail", "trail_stopped", "", "org-trail-1")
HISTORY = CheckResult(check="trail", status=Status.UNKNOWN, code="denied", region="sa-east-1")


def missing(region: str) -> CheckResult:
    return CheckResult.fault("trail", "trail_missing", "", region=region)


def resolved(fault: CheckResult, *results: CheckResult) -> bool:
    return resolved_faults([fault.fault_id], results) == [fault.fault_id]


def test_a_trail_that_was_stopped_and_then_deleted_is_not_resolved() -> None:
    assert not resolved(STOPPED, missing("us-east-1"), missing("eu-west-1"))


def test_a_stopped_trail_is_resolved_by_whatever_trail_logs_now() -> None:
    assert resolved(STOPPED, CheckResult.ok("trail", "another"))


def test_a_trail_of_all_regions_is_not_resolved_while_a_region_is_unknown() -> None:
    logging = CheckResult.ok("trail", "one-region", region="us-east-1")
    assert not resolved(STOPPED, logging, HISTORY)


def test_a_region_is_resolved_whatever_is_known_of_the_others() -> None:
    assert resolved(missing("eu-west-1"), CheckResult.ok("trail", "a", region="eu-west-1"), HISTORY)
    assert resolved(missing("eu-west-1"), CheckResult.ok("trail", "of-all-regions"))


def test_a_queue_whose_name_looks_like_a_region_is_a_queue() -> None:
    stuck = CheckResult.fault("queue", "queue_stuck", "", "undelivered-1")
    assert stuck.fault_id == FaultId("queue", "queue_stuck", None, "undelivered-1")
    assert resolved(stuck, CheckResult.ok("queue", "undelivered-1"))
    assert not resolved(stuck, CheckResult.fault("queue", "queue_missing", "", "undelivered-1"))


def test_what_nobody_looked_at_is_not_resolved() -> None:
    disabled = CheckResult.fault("rule", "rule_disabled", "", "a-rule")
    assert not resolved(disabled, CheckResult.ok("rule", "another-rule"))
    denied = CheckResult(check="rule", status=Status.UNKNOWN, code="denied")
    assert not resolved(disabled, CheckResult.ok("rule", "a-rule"), denied)


@pytest.mark.parametrize(
    "broken",
    [
        CheckResult.fault("trail", "trail_stopped", "", "all"),
        CheckResult.fault("role", "role_missing", "", "forward", regions="eu-west-1, sa-east-1"),
        CheckResult.fault("function", "code_differs", "", "x", handler="on_sign_in"),
    ],
    ids=lambda result: result.code,
)
def test_a_part_is_not_resolved_while_another_of_the_same_way_is_broken(
    broken: CheckResult,
) -> None:
    forward = CheckResult.fault("forward", "forward_missing", "", region="eu-west-1")
    well = CheckResult.ok("forward", "a-rule", region="eu-west-1")
    assert resolved(forward, well)
    assert not resolved(forward, well, broken)


def test_a_part_is_resolved_while_another_way_or_a_lesser_thing_is_broken() -> None:
    rule = CheckResult.fault("rule", "rule_disabled", "", "a-rule", handler="on_sign_in")
    well = CheckResult.ok("rule", "a-rule", handler="on_sign_in")
    others = [
        CheckResult.fault("permission", "permission_missing", "", "x", handler="audit_mfa"),
        CheckResult.fault("forward", "forward_missing", "", region="eu-west-1"),
        CheckResult.fault("function", "timeout_short", "", "x", handler="on_sign_in"),
        CheckResult.fault("queue", "queue_stuck", "", "q"),
    ]
    assert resolved(rule, well, *others)


@pytest.mark.parametrize(
    ("handler", "expected"), [("on_sign_in", True), (None, True), ("self_check", False)]
)
def test_an_outage_is_a_fault_on_the_way_of_sign_ins(
    handler: str | None, *, expected: bool
) -> None:
    fault = CheckResult.fault("rule", "rule_disabled", "", "x-self_check", handler=handler)
    assert is_outage(fault) is expected


@pytest.mark.parametrize("code", ["organization_trail", "role_denied_above"])
def test_what_no_check_can_judge_never_becomes_a_fault(code: str) -> None:
    seen = CheckResult(check="trail", status=Status.UNKNOWN, code=code)
    assert list(lasting([seen], [("trail", None)])) == [seen]


def test_a_role_that_could_not_be_looked_at_is_about_no_region_of_its_own() -> None:
    denied = CheckResult(check="role", status=Status.UNKNOWN, code="denied")
    assert regions_of(denied) is None
