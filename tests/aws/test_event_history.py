"""CloudTrail's event history, read from a stand-in that pages and throttles as AWS does."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from chalicelib.aws.clients import Clients
from chalicelib.aws.event_history import Page, Window, as_event, read
from chalicelib.signin.events import SIGN_IN_PATTERN
from chalicelib.signin.model import Outcome
from chalicelib.signin.reader import read_sign_in
from playground.aws import cloudtrail
from playground.aws.embedded import EmbeddedAws
from tests.support import records
from tests.support.records import EVENTS, event

START = datetime(2026, 5, 1, tzinfo=UTC)
END = datetime(2026, 5, 8, tzinfo=UTC)


def happened(aws: EmbeddedAws, region: str, count: int = 1) -> list[str]:
    """Let so many sign-ins happen in a region, a minute apart; give their ids, oldest first."""
    root, ids = event("root-without-mfa"), [f"{region}-{number}" for number in range(count)]
    times = [START + timedelta(minutes=number) for number in range(count)]
    events = [records.happened(root, at, eventID=id_) for at, id_ in zip(times, ids, strict=True)]
    cloudtrail.remember(aws.url, *events, region=region)
    return ids


def hurried(url: str) -> Clients:
    """Return a maker of clients that try once."""
    return partial(
        boto3.client,
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}),
    )


def window(region: str) -> Window:
    return Window(region=region, start=START, end=END)


def ids_of(pages: list[Page]) -> list[str]:
    return [event["detail"]["eventID"] for page in pages for event in page.events]


def refusals(pages: list[Page]) -> dict[str, str]:
    """Return why each region was not read to its end; AWS's error stands in the sentence."""
    return {
        page.refusal.region: str(page.refusal.error or "no time") for page in pages if page.refusal
    }


def test_all_regions_are_read(aws: EmbeddedAws) -> None:
    expected = happened(aws, "us-east-1", 3) + happened(aws, "eu-west-1", 2)
    pages = list(read(aws.client, [window("us-east-1"), window("eu-west-1"), window("sa-east-1")]))
    assert sorted(ids_of(pages)) == sorted(expected)
    assert {page.window.region for page in pages if page.is_last} == {
        "us-east-1",
        "eu-west-1",
        "sa-east-1",
    }


@pytest.mark.usefixtures("quick_history")
def test_pages_are_followed_through_the_region_s_throttling(aws: EmbeddedAws) -> None:
    expected = happened(aws, "eu-west-1", 160)
    client = aws.client("cloudtrail", "eu-west-1")
    client.lookup_events()
    client.lookup_events()  # somebody else has used the region's two requests of this second
    pages = list(read(aws.client, [window("eu-west-1")]))
    assert [len(page.events) for page in pages] == [50, 50, 50, 10]
    assert ids_of(pages) == expected[::-1]
    assert pages[-1].reached == START


def test_only_the_window_is_read(aws: EmbeddedAws) -> None:
    happened(aws, "eu-west-1", 10)
    narrow = Window(
        region="eu-west-1", start=START + timedelta(minutes=3), end=START + timedelta(minutes=5)
    )
    assert ids_of(list(read(aws.client, [narrow]))) == [f"eu-west-1-{n}" for n in (5, 4, 3)]


@pytest.mark.usefixtures("quick_history")
def test_windows_of_one_region_are_read_in_turn(aws: EmbeddedAws) -> None:
    happened(aws, "eu-west-1", 10)
    first, second = (
        Window(
            region="eu-west-1",
            start=START + timedelta(minutes=minute),
            end=START + timedelta(minutes=minute),
        )
        for minute in (7, 2)
    )
    assert ids_of(list(read(aws.client, [first, second]))) == ["eu-west-1-7", "eu-west-1-2"]


def test_a_region_that_refuses_is_named_and_left(aws: EmbeddedAws) -> None:
    expected = happened(aws, "us-east-1", 2)
    happened(aws, "eu-west-1", 2)
    cloudtrail.refuse(aws.url, "eu-west-1", "AccessDeniedException")
    pages = list(read(aws.client, [window("us-east-1"), window("eu-west-1")]))
    assert sorted(ids_of(pages)) == expected
    assert list(refusals(pages)) == ["eu-west-1"]
    assert "AccessDeniedException" in refusals(pages)["eu-west-1"]


@pytest.mark.usefixtures("quick_history")
def test_a_region_that_throttles_without_end_is_named_and_left(aws: EmbeddedAws) -> None:
    cloudtrail.refuse(aws.url, "eu-west-1", "ThrottlingException")
    pages = list(read(hurried(aws.url), [window("eu-west-1")]))
    assert "ThrottlingException" in refusals(pages)["eu-west-1"]
    assert pages[-1].reached == END


@pytest.mark.usefixtures("quick_history")
def test_of_an_attribute_the_newest_pages_are_a_sample(aws: EmbeddedAws) -> None:
    happened(aws, "eu-west-1", 160)
    root = Window(region="eu-west-1", start=START, end=END, attribute=("Username", "root"))
    pages = list(read(aws.client, [root]))
    assert [len(page.events) for page in pages] == [50, 50, 50, 0]
    assert (pages[-1].is_last, pages[-1].refusal) == (True, None)


@pytest.mark.usefixtures("quick_history")
def test_an_empty_page_in_between_does_not_end_the_reading() -> None:
    client = boto3.client(
        "cloudtrail", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="y"
    )
    with Stubber(client) as stub:
        stub.add_response("lookup_events", {"Events": [], "NextToken": "2"})
        stub.add_response("lookup_events", {"Events": [{"EventId": "e-1"}]})
        pages = list(read(lambda *_: client, [window("eu-west-1")]))
    assert [len(page.events) for page in pages] == [0, 1]


def test_a_region_out_of_reach_is_named_and_left(aws: EmbeddedAws) -> None:
    def clients(service: str, region: str) -> object:
        return (aws.client if region == "us-east-1" else out_of_reach)(service, region)

    out_of_reach = hurried("http://127.0.0.1:1")  # nobody listens there
    expected = happened(aws, "us-east-1", 2)
    pages = list(read(clients, [window("us-east-1"), window("eu-west-1")]))
    assert sorted(ids_of(pages)) == expected
    assert "Could not connect" in refusals(pages)["eu-west-1"]


def test_reading_stops_in_time_and_says_how_far_it_came(aws: EmbeddedAws) -> None:
    happened(aws, "eu-west-1", 120)
    pages = list(read(aws.client, [window("eu-west-1")], until=time.monotonic() + 0.4))
    assert len(ids_of(pages)) == 50
    assert refusals(pages) == {"eu-west-1": "no time"}
    assert pages[-1].reached == START + timedelta(minutes=70)


def test_a_reader_who_stops_listening_is_not_kept_waiting(aws: EmbeddedAws) -> None:
    happened(aws, "eu-west-1", 500)
    pages = read(aws.client, [window("eu-west-1")])
    assert next(pages).events
    pages.close()


# What is not CloudTrail's record, or not the whole of it, is in no history.
RECORDED = set(EVENTS) - {"anomaly-alert", "trimmed-record"}


def test_what_is_read_is_what_eventbridge_would_bring(aws: EmbeddedAws) -> None:
    brought = {sign_in["detail"]["eventID"]: sign_in for sign_in in map(event, RECORDED)}
    cloudtrail.remember(aws.url, *brought.values(), region="us-east-1")
    year = timedelta(days=365)
    wide = Window(region="us-east-1", start=START - year, end=END + year)
    found = [sign_in for page in read(aws.client, [wide]) for sign_in in page.events]
    assert len(found) == len(RECORDED)
    for sign_in in found:
        expected = brought[sign_in["detail"]["eventID"]]
        assert read_sign_in(sign_in) == read_sign_in(expected)
        assert {**sign_in, "id": ""} == {**expected, "id": ""}


def test_a_record_without_an_id_gets_the_one_that_stands_beside_it() -> None:
    found = as_event({"EventId": "e-1", "CloudTrailEvent": '{"eventName": "ConsoleLogin"}'})
    sign_in = read_sign_in(found)
    assert (sign_in.event_id, sign_in.event_name) == ("e-1", "ConsoleLogin")


def test_a_record_that_cannot_be_read_is_still_an_event() -> None:
    found = as_event(
        {"EventId": "e-1", "EventName": "ConsoleLogin", "EventTime": START, "CloudTrailEvent": "{"}
    )
    sign_in = read_sign_in(found)
    assert (sign_in.event_id, sign_in.event_time, sign_in.outcome) == (
        "e-1",
        START,
        Outcome.UNKNOWN,
    )


def test_an_action_in_the_console_comes_as_eventbridge_would_bring_it() -> None:
    found = as_event({"CloudTrailEvent": '{"eventType": "AwsConsoleAction"}'})
    assert found["detail-type"] == "AWS Console Action via CloudTrail"
    assert found["detail-type"] in SIGN_IN_PATTERN["detail-type"]
