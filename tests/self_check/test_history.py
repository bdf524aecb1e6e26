"""What is to be read of the history, and what of it stays to be read."""

from datetime import UTC, datetime, timedelta

from botocore.exceptions import EndpointConnectionError

from chalicelib.aws.event_history import Window
from chalicelib.self_check.checkpoint import Checkpoint, Progress, Waiting
from chalicelib.self_check.history import read_history, windows

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LEFT = NOW - timedelta(hours=5)


def test_a_moment_that_could_not_be_read_stays_to_be_read() -> None:
    def clients(service: str, region: str) -> object:
        raise EndpointConnectionError(endpoint_url=f"https://{service}.{region}")

    moment = Window(region="us-east-1", start=LEFT, end=LEFT)
    reading = read_history(clients, [moment], Checkpoint(), until=0.0)
    assert reading.progress["us-east-1"].gaps == ((LEFT, LEFT),)


def test_what_waits_of_a_region_that_is_gone_is_not_read() -> None:
    last = Checkpoint(
        regions={"us-east-1": Progress(NOW - timedelta(hours=1))},
        waiting=(
            Waiting("eu-south-1", "of-a-disabled-region", LEFT, ""),
            Waiting("us-east-1", "of-home", LEFT, ""),
        ),
        queue_was_empty=True,
    )
    wanted = windows(["us-east-1"], last, NOW)
    assert [window.region for window in wanted] == ["us-east-1", "us-east-1"]
