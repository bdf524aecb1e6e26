"""What a message says is new about where a sign-in came from."""

from dataclasses import replace

import pytest

from chalicelib.messages.sign_in import sign_in_message
from chalicelib.signin.origin import Habits, Origin
from chalicelib.signin.reader import read_sign_in
from chalicelib.signin.severity import assess
from tests.support.records import event
from tests.support.stage import stage

NEW = Habits(
    is_of_role=False,
    is_first=False,
    network="198.51.100.0/24",
    client="Firefox/Linux",
    is_new_network=True,
    is_new_client=True,
    usual_networks=("Seoul office", "203.0.113.0/24", "192.0.2.0/24"),
    usual_clients=("Chrome/macOS", "AWS CLI/", "/"),
)
KNOWN = replace(NEW, is_new_network=False, is_new_client=False)


def message(
    habits: Habits | None,
    name: str = "iam-user-with-mfa",
    language: str = "en",
    network: str | None = None,
    *,
    outside: bool = False,
) -> tuple[str, str]:
    """Return the text, and all that the blocks say."""
    origin = Origin(network_name=network, is_outside_known_networks=outside, habits=habits)
    settings = stage(MESSAGE_LANGUAGE=language)
    payload = sign_in_message(assess(read_sign_in(event(name)), origin), settings, None).payload
    return payload["text"], str(payload["attachments"])


@pytest.mark.parametrize(
    ("language", "new", "known"),
    [
        (
            "en",
            " New for alice: network 198.51.100.0/24, Firefox on Linux.",
            " Usually: Seoul office, 203.0.113.0/24, Chrome on macOS, AWS CLI.",
        ),
        (
            "ko",
            " alice 님의 새로운 접속: 네트워크 198.51.100.0/24, Linux의 Firefox.",
            " 평소: Seoul office, 203.0.113.0/24, macOS의 Chrome, AWS CLI.",
        ),
        (
            "ja",
            "。alice の普段と異なる接続: ネットワーク 198.51.100.0/24、Linux上のFirefox。",
            "通常: Seoul office、203.0.113.0/24、macOS上のChrome、AWS CLI。",
        ),
    ],
)
def test_the_text_names_what_is_new_and_what_is_usual(language: str, new: str, known: str) -> None:
    assert message(NEW, language=language)[0].endswith(new + known)


def test_a_new_client_alone_is_named_alone() -> None:
    text, blocks = message(replace(NEW, is_new_network=False))
    assert "New for alice: Firefox on Linux. Usually:" in text
    assert "The browser or the system is new." in blocks
    assert "*Usually*\\nSeoul office, 203.0.113.0/24, Chrome on macOS, AWS CLI" in blocks


def test_a_first_sign_in_has_nothing_usual() -> None:
    text, blocks = message(replace(NEW, is_first=True, usual_networks=(), usual_clients=()))
    assert text.endswith(" First known sign-in of alice.")
    assert "Usually" not in blocks


def test_a_role_stands_for_whoever_uses_it() -> None:
    habits = replace(NEW, is_of_role=True)
    assert "New for role BreakGlass: network" in message(habits, "custom-federation")[0]
    first = replace(habits, is_first=True)
    assert "First known sign-in with role BreakGlass." in message(first, "custom-federation")[0]


def test_root_is_called_so() -> None:
    assert "New for the root user: network" in message(NEW, "root-with-mfa")[0]


def test_what_is_usual_needs_no_words() -> None:
    assert message(KNOWN)[0] == message(None)[0]


def test_a_known_network_is_named_beside_the_address() -> None:
    text, blocks = message(None, network="Seoul office")
    assert "from 203.0.113.5 (Seoul office)" in text
    assert "203.0.113.5 (Seoul office)" in blocks


def test_an_address_outside_the_known_networks_is_said_to_be() -> None:
    text, blocks = message(None, outside=True)
    assert text.endswith(" The address is outside your known networks.")
    assert "The address is outside your known networks." in blocks


def test_names_of_networks_are_no_markup() -> None:
    text, blocks = message(replace(NEW, usual_networks=("<!here>",)), network="<!channel>")
    assert "<!" not in text
    assert "<!here>" not in blocks
    assert "<!channel>" not in blocks
