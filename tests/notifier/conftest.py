from collections.abc import Iterator
from functools import partial

import pytest

from chalicelib.delivery.slack import Slack
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support.notifier_harness import KEY, NotifierHarness


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def critical_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def harness(
    aws: EmbeddedAws,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> NotifierHarness:
    aws.make_key(KEY)
    harness = NotifierHarness(aws, receiver, capsys)
    monkeypatch.setattr(
        "chalicelib.delivery.channel.Slack", partial(Slack, sleep=harness.slept.append)
    )
    return harness
