"""What a message says is new about where a sign-in came from."""

from dataclasses import replace

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
    habits: Habits | None, name: str = "iam-user-with-mfa", network: str | None = None
) -> tuple[str, str]:
    """Return the text, and all that the blocks say."""
    origin = Origin(network_name=network, habits=habits)
    payload = sign_in_message(assess(read_sign_in(event(name)), origin), stage(), None).payload
    return payload["text"], str(payload["attachments"])


def test_the_text_names_what_is_new_and_two_of_each_that_are_usual() -> None:
    assert message(NEW)[0].endswith(
        " New for alice: network 198.51.100.0/24, Firefox on Linux."
        " Usually: Seoul office, 203.0.113.0/24, Chrome on macOS, AWS CLI."
    )


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
    text, _ = message(replace(NEW, is_of_role=True), "custom-federation")
    assert "New for role BreakGlass: network" in text


def test_root_is_called_so() -> None:
    assert "New for the root user: network" in message(NEW, "root-with-mfa")[0]


def test_what_is_usual_needs_no_words() -> None:
    assert message(KNOWN)[0] == message(None)[0]


def test_names_of_networks_are_no_markup() -> None:
    text, blocks = message(replace(NEW, usual_networks=("<!here>",)), network="<!channel>")
    assert "<!" not in text
    assert "<!here>" not in blocks
    assert "<!channel>" not in blocks
