from collections.abc import Iterator
from functools import partial

import pytest

from chalicelib.delivery.slack import Slack
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support.notifier_bench import KEY, Bench


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def critical_receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def bench(
    aws: EmbeddedAws,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Bench:
    aws.make_key(KEY)
    bench = Bench(aws, receiver, capsys)
    monkeypatch.setattr(
        "chalicelib.delivery.channel.Slack", partial(Slack, sleep=bench.slept.append)
    )
    return bench
