"""Links into CloudTrail's console, in each partition, and to nowhere else."""

import pytest

from chalicelib.aws.console import account_support_page, event_page, history_page

EVENT_ID = "e155da10-b227-4cd1-9129-1cc2b783020e"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("global", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.console.amazonaws-eusc.eu"),
        ("us-iso-east-1", "us-iso-east-1.console.c2shome.ic.gov"),
        ("us-isob-east-1", "us-isob-east-1.console.sc2shome.sgov.gov"),
        ("us-isof-south-1", "us-isof-south-1.console.csphome.hci.ic.gov"),
        ("eu-isoe-west-1", "eu-isoe-west-1.console.csphome.adc-e.uk"),
    ],
)
def test_an_event_is_shown_in_the_console_of_its_partition(region: str, host: str) -> None:
    page = event_page(region, EVENT_ID)
    assert page
    assert page.startswith(f"https://{host}/cloudtrailv2/home?region=")
    assert page.endswith(f"#/events/{EVENT_ID}")


@pytest.mark.parametrize(
    ("region", "event_id"),
    [
        ("evil.example/", EVENT_ID),
        ("moon-1", EVENT_ID),
        ("us-east-1\n", EVENT_ID),
        (None, EVENT_ID),
        ("us-east-1", "x|click>"),
        ("us-east-1", "é"),
        ("us-east-1", None),
    ],
)
def test_no_link_is_made_of_what_could_lead_elsewhere(
    region: str | None, event_id: str | None
) -> None:
    assert event_page(region, event_id) is None


def test_a_name_cannot_leave_its_place_in_the_address() -> None:
    page = history_page("us-east-1", "a&b|c> d/é")
    assert page
    assert page.endswith("#/events?Username=a%26b%7Cc%3E%20d%2F%C3%A9")
    assert history_page("evil.example", "alice") is None


def test_aws_helps_to_recover_accounts_of_its_public_partition() -> None:
    assert account_support_page("eu-west-1")
    assert account_support_page("cn-north-1") is None
    assert account_support_page(None) is None
