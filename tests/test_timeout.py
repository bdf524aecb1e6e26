"""Time that runs out."""

import json
import threading
from time import monotonic

import pytest

from chalicelib import timeout
from chalicelib.timeout import Deadline, call_with_timeout
from playground.aws.deployment import PROJECT


def test_a_deadline_is_so_many_seconds_away() -> None:
    assert 99 < Deadline(100).seconds_left <= 100


def test_a_deadline_that_has_passed_leaves_nothing() -> None:
    assert Deadline(-5).seconds_left == 0


def test_all_that_an_invocation_may_wait_for_fits_its_timeout() -> None:
    config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
    assert config["lambda_timeout"] == timeout.FUNCTION_SECONDS
    aws_call = 2 * timeout.AWS_ATTEMPT_SECONDS + timeout.AWS_WAIT_SECONDS
    assert aws_call <= timeout.LOOKUP_SECONDS
    assert aws_call <= timeout.QUEUE_SECONDS < timeout.RESERVE_SECONDS
    posting = timeout.FUNCTION_SECONDS - timeout.RESERVE_SECONDS
    exchange = timeout.EXCHANGE_SECONDS
    assert exchange > timeout.CONNECT_SECONDS + timeout.READ_SECONDS
    assert timeout.BASELINE_SECONDS + timeout.LOOKUP_SECONDS + 2 * exchange <= posting
    assert timeout.BASELINE_BATCH_SECONDS + timeout.LOOKUP_SECONDS + exchange <= posting


def test_all_that_init_may_wait_for_fits_lambdas_ten_seconds() -> None:
    connecting = timeout.INIT_OPEN_SECONDS + timeout.INIT_BASELINE_SECONDS
    assert timeout.INIT_LOOKUP_SECONDS + connecting < timeout.INIT_SECONDS


def test_posting_leaves_twelve_seconds_of_an_invocation_for_parking() -> None:
    assert 47 < Deadline.within_invocation(60).seconds_left <= 48


def test_of_a_short_invocation_posting_takes_half() -> None:
    assert 3 < Deadline.within_invocation(8).seconds_left <= 4


def test_what_the_call_gives_is_given() -> None:
    assert call_with_timeout(10, lambda: "given") == "given"
    assert call_with_timeout(10, lambda: None) is None


@pytest.mark.parametrize("error", [ValueError("as raised"), SystemExit(3)])
def test_what_the_call_raises_is_raised(error: BaseException) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)) as raised:
        call_with_timeout(10, call)
    assert raised.value is error


def test_a_call_that_hangs_is_given_up() -> None:
    released = threading.Event()
    started = monotonic()
    with pytest.raises(TimeoutError):
        call_with_timeout(0.05, released.wait)
    assert monotonic() - started < 10
    released.set()


def test_a_call_that_hangs_does_not_keep_the_process_alive() -> None:
    released = threading.Event()
    before = set(threading.enumerate())
    with pytest.raises(TimeoutError):
        call_with_timeout(0.01, released.wait)
    (hanging,) = set(threading.enumerate()) - before
    assert hanging.daemon
    released.set()
