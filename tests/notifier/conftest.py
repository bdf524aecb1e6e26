from collections.abc import Iterator
from functools import partial

import pytest

from chalicelib.baseline import item
from chalicelib.delivery.slack import Slack
from playground.aws.embedded import EmbeddedAws
from playground.slack.receiver import Receiver
from tests.support.notifier_harness import KEY, TABLE, MakeNotifier, NotifierHarness


@pytest.fixture
def receiver() -> Iterator[Receiver]:
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


@pytest.fixture
def baseline(
    harness: NotifierHarness, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> MakeNotifier:
    """Give what makes notifiers of a stage with a table, as cold functions have them."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    aws.make_table(TABLE, key=item.KEY, expiry=item.EXPIRY)
    return partial(harness.notifier, BASELINE_TABLE=TABLE)
