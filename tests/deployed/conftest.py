from typing import TYPE_CHECKING

import pytest

from playground.slack.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.strict_aws import StrictAws


@pytest.fixture(scope="module")
def receiver() -> "Iterator[Receiver]":
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def aws(embedded: "StrictAws") -> "Iterator[StrictAws]":
    """Return an account that the tests of one file share, empty at first.

    The calls that its functions made must each be allowed by the function's policy.
    """
    embedded.reset()
    yield embedded
    assert embedded.beyond_policy == []
