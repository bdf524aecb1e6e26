"""When a post is tried again, how long it waits, and when it gives up."""

from collections.abc import Iterator

import pytest

from chalicelib.delivery.slack import Slack
from chalicelib.delivery.webhook import Webhook
from chalicelib.errors import NoAnswer, PayloadInvalid, PostError, RefusedForNow, WebhookDead
from chalicelib.timeout import Deadline
from playground.slack.certificates import Certificates
from playground.slack.receiver import Receiver
from tests.support.clock import Clock
from tests.support.stage import stage

HELLO = {"text": "hello"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def time() -> Clock:
    return Clock()


@pytest.fixture
def slack(receiver: Receiver, time: Clock) -> Slack:
    return Slack(Webhook(receiver.url), stage(), clock=time, sleep=time.sleep)


def post(slack: Slack, seconds: float = 40, *, patient: bool = False) -> PostError | None:
    """Post; return the failure, if it fails."""
    try:
        slack.post(HELLO, Deadline(seconds), **({"patient": True} if patient else {}))
    except PostError as failure:
        return failure
    return None


def answers(receiver: Receiver) -> list[str]:
    return [post.answer for post in receiver.posts]


def test_a_message_arrives_once_and_as_it_is_in_any_script(
    slack: Slack, receiver: Receiver
) -> None:
    payload = {"text": "로그인 ログイン \U0001f510 é"}
    slack.post(payload, Deadline(40))
    (posted,) = receiver.posts
    assert posted.payload == payload
    assert posted.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("no_service", WebhookDead),
        ("invalid_blocks", PayloadInvalid),
        ("redirect", WebhookDead),
        ("html_500", RefusedForNow),
        ("rollup_error", RefusedForNow),
        ("reset", NoAnswer),
        ("close", NoAnswer),
        ("reset_in_answer", NoAnswer),
    ],
)
@pytest.mark.parametrize("patient", [False, True])
def test_what_trying_again_at_once_would_not_mend_is_tried_once(
    patient: bool,  # noqa: FBT001 — the parameter is the case
    answer: str,
    kind: type[PostError],
    slack: Slack,
    receiver: Receiver,
    time: Clock,
) -> None:
    receiver.behave(answer)
    assert isinstance(post(slack, patient=patient), kind)
    assert answers(receiver) == [answer]
    assert time.slept == []


@pytest.mark.parametrize("fault", ["hang", "hang_in_answer", "drip", "reset_in_answer"])
def test_what_may_have_arrived_is_not_posted_again_on_a_kept_connection_either(
    fault: str, slack: Slack, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chalicelib.http.EXCHANGE_SECONDS", 0.3)
    post(slack)
    receiver.behave(fault)
    failure = post(slack, patient=True)
    assert isinstance(failure, NoAnswer)
    assert failure.possibly_posted
    assert answers(receiver) == ["ok", fault]


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_after_a_kept_connection_that_was_closed_a_fresh_connection_is_tried_at_once(
    fault: str, slack: Slack, receiver: Receiver, time: Clock
) -> None:
    post(slack)
    receiver.behave(fault, times=1)
    assert post(slack) is None
    assert [(post.answer, post.connection) for post in receiver.posts] == [
        ("ok", 1),
        (fault, 1),
        ("ok", 2),
    ]
    assert time.slept == []


def test_a_connection_that_breaks_after_a_stale_connection_is_not_tried_a_third_time(
    slack: Slack, receiver: Receiver
) -> None:
    post(slack)
    receiver.behave("reset")
    assert isinstance(post(slack), NoAnswer)
    assert answers(receiver) == ["ok", "reset", "reset"]


def test_what_the_second_try_is_answered_counts(slack: Slack, receiver: Receiver) -> None:
    post(slack)
    receiver.behave("reset", times=1)
    receiver.path = "/elsewhere"
    assert isinstance(post(slack), WebhookDead)


def test_a_connection_that_was_silent_too_long_is_no_kept_connection(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    post(slack)
    time.now += 60
    receiver.behave("reset", times=1)
    assert isinstance(post(slack), NoAnswer)
    assert [post.connection for post in receiver.posts] == [1, 2]


def test_a_connection_that_could_not_be_opened_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def refuse(address: object, *_: object, **__: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", refuse)
    failure = post(Slack(Webhook("https://hooks.slack.com/services/T0/B0/fake"), stage()))
    assert isinstance(failure, NoAnswer)
    assert failure.unsent
    assert tried == [("hooks.slack.com", 443)] * 2


def test_with_no_time_left_nothing_is_posted_at_all(slack: Slack, receiver: Receiver) -> None:
    failure = post(slack, 0.4)
    assert isinstance(failure, NoAnswer)
    assert (failure.reason, str(failure)) == ("out_of_time", "There was no time left to post.")
    assert not failure.possibly_posted
    assert receiver.posts == []


def test_with_no_time_left_nothing_is_tried_again(slack: Slack, receiver: Receiver) -> None:
    post(slack)
    receiver.behave("hang")
    assert isinstance(post(slack, 0.6), NoAnswer)
    assert answers(receiver) == ["ok", "hang"]


def test_after_connecting_ahead_the_first_post_is_on_a_kept_connection(
    certificates: Certificates, time: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.ca_file))
    with Receiver(tls=certificates.good) as receiver:
        slack = Slack(Webhook(receiver.url), stage(), clock=time, sleep=time.sleep)
        slack.connect()
        assert (receiver.connections, receiver.posts, receiver.visits) == (1, [], [])
        receiver.behave("reset", times=1)
        assert post(slack) is None
        assert [post.connection for post in receiver.posts] == [1, 2]


@pytest.mark.parametrize(
    ("patient", "times", "retry_after", "slept"),
    [
        (False, 1, 1, [1]),
        (False, 1, 2, [2]),
        (True, 1, 30, [30]),
        (True, 3, 5, [5, 5, 5]),
        (True, 3, 0, [1, 1, 1]),  # it makes no flood
    ],
)
def test_asked_to_wait_a_post_waits_a_moment_and_a_patient_post_as_long_and_often_as_asked(
    patient: bool,  # noqa: FBT001 — the parameter is the case
    times: int,
    retry_after: int,
    slept: list[int],
    slack: Slack,
    receiver: Receiver,
    time: Clock,
) -> None:
    receiver.behave("rate_limited", times=times, retry_after=retry_after)
    assert post(slack, patient=patient) is None
    assert answers(receiver) == [*["rate_limited"] * times, "ok"]
    assert time.slept == slept


def test_asked_to_wait_longer_than_a_moment_it_gives_up_at_once(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", retry_after=3)
    failure = post(slack)
    assert isinstance(failure, RefusedForNow)
    assert (failure.reason, failure.retry_after) == ("rate_limited", 3)
    assert answers(receiver) == ["rate_limited"]
    assert time.slept == []


def test_a_post_that_is_not_patient_is_tried_twice_at_most(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", retry_after=1)
    assert isinstance(post(slack), RefusedForNow)
    assert answers(receiver) == ["rate_limited"] * 2
    assert time.slept == [1]


@pytest.mark.parametrize(
    ("patient", "retry_after", "seconds"), [(True, 30, 30.4), (False, 2, 2.4), (True, 30, 20)]
)
def test_a_wait_that_leaves_no_time_to_post_is_not_begun(
    patient: bool,  # noqa: FBT001 — the parameter is the case
    retry_after: int,
    seconds: float,
    slack: Slack,
    receiver: Receiver,
    time: Clock,
) -> None:
    receiver.behave("rate_limited", retry_after=retry_after)
    assert isinstance(post(slack, seconds, patient=patient), RefusedForNow)
    assert answers(receiver) == ["rate_limited"]
    assert time.slept == []


def test_in_a_storm_only_the_first_of_a_minute_waits(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", times=1)
    assert post(slack) is None
    time.now += 58
    receiver.behave("rate_limited", times=1)
    assert isinstance(post(slack), RefusedForNow)
    assert time.slept == [1]
    time.now += 60
    receiver.behave("rate_limited", times=1)
    assert post(slack) is None
    assert time.slept == [1, 1]


def test_a_wait_that_was_too_long_counts_as_the_first_of_the_minute(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", times=1, retry_after=3)
    post(slack)
    time.now += 3
    receiver.behave("rate_limited", times=1, retry_after=1)
    assert isinstance(post(slack), RefusedForNow)
    assert time.slept == []


def test_before_the_time_that_the_receiver_named_nothing_is_posted(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", times=1, retry_after=30)
    post(slack)
    time.now += 29.5
    failure = post(slack)
    assert isinstance(failure, RefusedForNow)
    assert (failure.reason, failure.act, failure.retry_after) == ("still_limited", "nobody", 0.5)
    assert "asked to wait; 1 s of that are left" in str(failure)
    assert answers(receiver) == ["rate_limited"]
    time.now += 0.5
    assert post(slack) is None
    assert time.slept == []


def test_before_that_time_a_patient_post_waits_for_it(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", times=1, retry_after=30)
    post(slack)
    time.now += 10
    assert post(slack, patient=True) is None
    assert time.slept == [20]
    assert answers(receiver) == ["rate_limited", "ok"]


@pytest.mark.parametrize("seconds", [20, 30.4])
def test_a_patient_post_that_has_no_time_for_that_gives_up_at_once(
    seconds: float, slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("rate_limited", times=1, retry_after=30)
    post(slack)
    failure = post(slack, seconds, patient=True)
    assert isinstance(failure, RefusedForNow)
    assert failure.reason == "still_limited"
    assert time.slept == []


def test_a_broken_receiver_that_names_no_time_does_not_silence_the_next_post(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("html_500", times=1)
    assert isinstance(post(slack), RefusedForNow)
    assert post(slack) is None
    assert time.slept == []


def test_a_broken_receiver_does_not_make_the_next_wait_a_second_one(
    slack: Slack, receiver: Receiver, time: Clock
) -> None:
    receiver.behave("html_500", times=1)
    post(slack)
    receiver.behave("rate_limited", times=1)
    assert post(slack) is None
    assert time.slept == [1]
