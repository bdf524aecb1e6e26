"""The page in a real browser, as a person would try it."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect, sync_playwright

from playground.aws.deployment import PROJECT, ProjectCopy
from playground.local.stage import chalice_local
from tests.support.demo import Demo

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 120_000  # on a busy machine; none of it is spent on an idle one
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

expect.set_options(timeout=PATIENCE_MS)
pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        says = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(says)
        pytest.skip(says)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


Open = Callable[..., Page]
Visit = Callable[[Page], Page]


@pytest.fixture(scope="module")
def strangers() -> list[str]:
    """Return what no page may ask for or say: other hosts' addresses, dialogs and errors."""
    return []


@pytest.fixture(scope="module")
def open_page(browser: Browser, demo: Demo, strangers: list[str]) -> Open:
    """Return what opens an empty page in a browser with these properties."""

    def note(url: str) -> None:
        if not url.startswith(demo.address):
            strangers.append(url)

    def open_page(**properties: Any) -> Page:  # noqa: ANN401 — Chromium's own
        page = browser.new_page(**properties)
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: note(request.url))
        page.on("dialog", lambda dialog: strangers.append(dialog.message))
        page.on("pageerror", lambda error: strangers.append(str(error)))
        return page

    return open_page


@pytest.fixture(scope="module")
def shared_page(open_page: Open) -> Page:
    """Return a page for all tests: to open another takes longer than most of them do."""
    return open_page()


@pytest.fixture
def visit(demo: Demo, strangers: list[str]) -> Iterator[Visit]:
    """Return what shows the demo, which has come to rest, in a page."""

    def visit(page: Page) -> Page:
        page.goto(demo.address)
        expect(page.locator("#connection")).to_have_text("live")
        return page

    strangers.clear()
    demo.come_to_rest()
    yield visit
    assert strangers == []


@pytest.fixture
def page(shared_page: Page, visit: Visit) -> Page:
    shared_page.unroute_all()
    shared_page.emulate_media(color_scheme="light")
    shared_page.set_viewport_size({"width": 1280, "height": 720})
    return visit(shared_page)


Take = Callable[[Page | Locator, str], None]


@pytest.fixture
def take(pytestconfig: pytest.Config, tmp_path: Path) -> Take:
    """Take a picture; `make golden` takes those of the documentation again."""
    is_wanted = pytestconfig.getoption("--rewrite-golden", default=False)
    folder = PROJECT / "docs" if is_wanted else tmp_path

    def take(what: Page | Locator, name: str) -> None:
        what.screenshot(path=folder / f"{name}.png", animations="disabled", scale="css")

    return take


def choose_answer(page: Page, name: str) -> None:
    with page.expect_response("**/answer"):
        page.get_by_label("Slack answers").select_option(name)


def try_out(page: Page, title: str) -> None:
    """Press a sign-in's button, its group opened first if need be."""
    button = page.locator("button.try").get_by_text(title, exact=True)
    group = page.locator("details.group").filter(has=button)
    if not button.is_visible():
        group.locator("summary").click()
    with page.expect_response("**/sign-ins"):
        button.click()


def newest(page: Page) -> Locator:
    return page.locator(".message").last


def edge(locator: Locator, name: str) -> float:
    return float(locator.evaluate(f"it => it.getBoundingClientRect().{name}"))


def test_messages_that_came_before_the_page_was_opened_are_there(page: Page) -> None:
    expect(page.locator(".message").first).to_contain_text("alice")


def test_a_click_brings_a_message_without_a_reload(page: Page) -> None:
    before = page.locator(".message").count()

    try_out(page, "Exit role")

    expect(page.locator(".message")).to_have_count(before + 1)
    expect(newest(page)).to_contain_text("left role")
    expect(newest(page)).to_be_in_viewport()


def test_a_reader_of_older_messages_is_led_to_the_newest(page: Page) -> None:
    page.set_viewport_size({"width": 1440, "height": 480})  # two messages are more than it shows
    try_out(page, "Root without MFA")
    page.get_by_role("log").evaluate("list => list.scrollTop = 0")
    try_out(page, "Exit role")
    page.get_by_text("Details", exact=True).click()
    button = page.get_by_role("button", name="Newest message")
    expect(button).to_be_visible()
    assert edge(button, "bottom") <= edge(page.locator(".decision"), "top")

    button.click()

    expect(newest(page)).to_be_in_viewport()
    expect(page.get_by_role("log")).to_be_focused()


def test_the_decision_is_reported(page: Page) -> None:
    try_out(page, "Root with MFA")

    expect(page.locator("#decision-line")).to_contain_text("posted, severity critical")
    page.get_by_text("Details", exact=True).click()
    expect(page.locator("#decision-json")).to_contain_text('"mfa": "yes"')


def test_a_sign_in_that_is_ignored_says_so(page: Page) -> None:
    try_out(page, "Role renewed")

    expect(page.locator("#decision-line")).to_contain_text("ignored")


def test_a_critical_sign_in_shows_whom_it_mentions_and_its_colour(page: Page) -> None:
    try_out(page, "Root without MFA")

    expect(newest(page).locator(".mention")).to_have_text("@here")
    bar = newest(page).locator(".attachment").evaluate("bar => bar.style.getPropertyValue('--bar')")
    assert bar == "#e01e5a"


def test_times_are_in_the_readers_own_zone(open_page: Open, visit: Visit) -> None:
    page = visit(open_page(timezone_id="Asia/Seoul", locale="en-GB"))
    page.get_by_label("as if it happened now").uncheck()

    try_out(page, "Email address changed")

    expect(newest(page).locator(".field time")).to_have_text("4 May 2026 11:31:55")
    page.close()


def test_messages_come_in_the_chosen_language(page: Page) -> None:
    page.get_by_label("한국어").check()

    try_out(page, "Password changed")

    expect(newest(page).locator(".field").first).to_contain_text("사용자")


def test_a_hostile_user_agent_stays_text(page: Page) -> None:
    try_out(page, "An attacker's user agent")

    expect(newest(page)).to_contain_text("<script>alert(1)</script>")
    expect(newest(page).locator(".body script, .body img, .mention")).to_have_count(0)
    addresses = [result.get_attribute("href") or "" for result in newest(page).locator("a").all()]
    assert all("evil" not in address.partition("#")[0] for address in addresses)


def test_what_slack_refuses_waits_until_it_is_delivered(page: Page) -> None:
    choose_answer(page, "no_service")
    try_out(page, "Web identity")

    expect(page.locator("#decision-line")).to_contain_text("parked")
    expect(page.locator("#queue-count")).to_have_text("1")
    expect(page.locator("#queue")).to_contain_text("no_service")
    expect(page.locator(".refusal").last).to_contain_text("no_service")

    choose_answer(page, "ok")
    page.get_by_role("button", name="Deliver now").click()

    expect(page.locator("#decision-line")).to_contain_text("1 of 1 posted")
    expect(page.locator("#queue-count")).to_have_text("0")
    expect(newest(page)).to_contain_text("104862195730026481937")


def test_what_cannot_be_delivered_stays(page: Page) -> None:
    choose_answer(page, "channel_is_archived")
    try_out(page, "SAML user")
    expect(page.locator("#queue-count")).to_have_text("1")

    page.get_by_role("button", name="Deliver now").click()

    expect(page.locator("#decision-line")).to_contain_text("0 of 1 posted")
    expect(page.locator("#queue-count")).to_have_text("1")

    choose_answer(page, "ok")
    page.get_by_role("button", name="Deliver now").click()
    expect(page.locator("#queue-count")).to_have_text("0")


def test_a_look_that_began_before_a_choice_does_not_put_the_old_answer_back(page: Page) -> None:
    looks: list[Route] = []
    page.route("**/channel?*", lambda *look: looks.append(look[0]))  # and is not answered
    while not looks:
        page.wait_for_timeout(50)
    seen = looks[0].fetch()

    choose_answer(page, "no_service")
    looks[0].fulfill(response=seen, json=seen.json() | {"queue": {"waiting": 7, "first": []}})

    expect(page.locator("#queue-count")).to_have_text("7")
    assert page.get_by_label("Slack answers").input_value() == "no_service"


def test_a_password_spray_comes_as_one_digest(page: Page, take: Take) -> None:
    page.get_by_label("digest").check()
    before = page.locator(".message").count()

    page.get_by_role("button", name="Password spray").click()
    expect(page.locator("#queue-count")).to_have_text("20")
    page.get_by_role("button", name="Deliver now").click()

    expect(page.locator("#queue-count")).to_have_text("0")
    expect(page.locator(".message")).to_have_count(before + 1)
    expect(newest(page)).to_contain_text("20")
    take(newest(page), "message-digest")


def test_a_click_shows_who_has_no_mfa(page: Page) -> None:
    page.get_by_role("button", name="Who has no MFA?").click()

    expect(newest(page)).to_contain_text("console users in")
    expect(newest(page)).to_contain_text("bob.martin")
    expect(newest(page)).not_to_contain_text("alice")


def test_a_sign_in_while_the_rule_is_stopped_is_found_and_so_is_the_fault(page: Page) -> None:
    before = page.locator(".message").count()

    page.get_by_role("button", name="Stop the rule, sign in, run the self-check").click()

    expect(page.locator(".message")).to_have_count(before + 3)
    late, new, resolved = page.locator(".message").all()[before:]
    expect(late).to_contain_text("Root user signed in")
    expect(late).to_contain_text("Found by the self-check. The rule in the home region is")
    expect(new).to_contain_text("The rule signin-monitor-local-on_sign_in-event is disabled.")
    expect(resolved).to_contain_text("Fixed")
    expect(page.locator("#decision-line")).to_contain_text("1 found")


def test_the_editor_says_where_the_json_is_wrong(page: Page) -> None:
    editor = page.get_by_role("textbox", name="The event")
    editor.fill('{\n  "version": "0",\n  "id": }')

    page.get_by_role("button", name="Send this event").click()

    expect(page.get_by_role("alert")).to_have_text("Line 3, column 9: expecting value.")
    expect(editor).to_be_focused()
    assert editor.evaluate("text => text.selectionStart") == len('{\n  "version": "0",\n  "id": ')


def test_an_edited_event_is_sent(page: Page) -> None:
    try_out(page, "Wrong password")
    editor = page.get_by_role("textbox", name="The event")
    editor.fill(editor.input_value().replace('"alice"', '"mallory"'))

    page.get_by_role("button", name="Send this event").click()

    expect(newest(page)).to_contain_text("mallory")


def test_an_event_of_another_service_does_not_match_the_rule(page: Page) -> None:
    try_out(page, "Wrong password")
    editor = page.get_by_role("textbox", name="The event")
    editor.fill(editor.input_value().replace("aws.signin", "aws.ec2"))

    page.get_by_role("button", name="Send this event").click()

    expect(page.locator("#decision-line")).to_contain_text("the rule does not match")


def test_each_message_shows_its_payload_and_opens_in_block_kit_builder(page: Page) -> None:
    newest(page).get_by_text("Raw payload").click()

    payload = json.loads(newest(page).locator(".raw pre").inner_text())
    address = newest(page).get_by_role("link", name="Block Kit Builder").get_attribute("href")

    base, _, fragment = (address or "").partition("#")
    assert base == "https://app.slack.com/block-kit-builder/"
    assert json.loads(unquote(fragment)) == {"blocks": payload["attachments"][0]["blocks"]}


def test_the_page_can_be_used_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the sign-ins")).to_be_focused()
    page.keyboard.press("Enter")
    page.locator("button.try").first.focus()
    before = page.locator(".message").count()

    page.keyboard.press("Enter")

    expect(page.locator(".message")).to_have_count(before + 1)


def test_on_a_phone_the_channel_never_covers_what_has_the_focus(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 740})
    page.get_by_role("button", name="Send this event").focus()

    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        assert edge(page.get_by_role("main"), "bottom") <= edge(page.locator(":focus"), "top")


@pytest.mark.parametrize("width", [320, 390, 768, 1024])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#messages").evaluate("list => list.scrollWidth <= list.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_readers_colours(page: Page, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)

    ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    red = int(re.findall(r"\d+", ground)[0])
    assert red > 200 if scheme == "light" else red < 50


def test_with_a_baseline_the_new_stands_out_and_the_familiar_is_quiet(page: Page) -> None:
    page.get_by_label("and ignore the familiar").check()
    try_out(page, "IAM user with MFA")
    expect(newest(page)).to_contain_text("First known sign-in of alice")
    try_out(page, "IAM user with MFA")
    expect(page.locator("#decision-line")).to_contain_text("ignored (familiar)")
    try_out(page, "From a new network")
    expect(newest(page)).to_contain_text("New for alice: network 198.51.100.0/24")


ROUTINE = (
    "IAM user with MFA",
    "From a phone",
    "Regional endpoint",
    "SAML",
    "Identity Center",
    "Switch role, seen from home",
    "Exit role",
    "aws login",
    "MFA in the role's session",
    "IAM user with MFA",
    "Custom federation",
    "From a phone",
)


def test_twelve_routine_sign_ins_fit_and_a_critical_one_is_seen_at_once(
    page: Page, take: Take
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    before = page.locator(".message").count()
    for number, title in enumerate(ROUTINE, start=1):
        try_out(page, title)
        expect(page.locator(".message")).to_have_count(before + number)
    first = page.locator(".message").nth(before)
    assert edge(newest(page), "bottom") - edge(first, "top") <= edge(
        page.locator("#messages"), "height"
    )

    take(newest(page), "message-info")

    try_out(page, "Root without MFA")
    expect(page.locator(".message")).to_have_count(before + len(ROUTINE) + 1)
    page.set_viewport_size({"width": 1440, "height": 1240})
    page.locator("#messages").evaluate("list => { list.scrollTop = list.scrollHeight }")
    page.locator("#controls").evaluate("controls => { controls.scrollTop = 0 }")
    page.mouse.move(1400, 880)
    take(page, "page")
    take(newest(page), "message-critical")
    try_out(page, "IAM user without MFA")
    expect(newest(page)).to_contain_text("[Warning]")
    take(newest(page), "message-warning")


def test_without_a_demo_the_page_says_what_is_missing(browser: Browser, tmp_path: Path) -> None:
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    said: list[str] = []
    with chalice_local(bare, said.append, 0, ProjectCopy(tmp_path).path) as address:
        page = browser.new_page(viewport={"width": 320, "height": 560})
        page.goto(address)

        missing = page.locator("#missing")
        expect(missing).to_contain_text("make demo")
        expect(missing.locator("#missing-list")).to_contain_text("WEBHOOK_URL_ENCRYPTED")
        expect(page.locator("#empty")).to_be_hidden()
        assert edge(missing, "bottom") <= edge(page.locator(".decision"), "top")
        page.close()
    assert said == []
