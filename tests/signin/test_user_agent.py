"""What a user agent says of the browser and the system, for people."""

import pytest

from chalicelib.signin.user_agent import browser_of, client_of, system_of

WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X)"
WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "browser", "system"),
    [
        (f"{MAC} {WEBKIT} Chrome/148.0.0.0 Safari/537.36", "Chrome 148", "macOS"),
        (f"{WINDOWS} {WEBKIT} Chrome/148.0 Safari/537.36 Edg/147.0", "Edge 147", "Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/64.0 Safari/537.36 Edge/17.17134", "Edge 17", "Windows"),
        (f"{WINDOWS} {WEBKIT} Chrome/148.0 Safari/537.36 OPR/120.0", "Opera 120", "Windows"),
        (f"{MAC} {WEBKIT} Chrome/148.0 Safari/537.36 Vivaldi/7.4", "Vivaldi 7", "macOS"),
        (f"{LINUX}; rv:149.0) Gecko/20100101 Firefox/149.0", "Firefox 149", "Linux"),
        (f"{MAC} {APPLE} Version/26.1 Safari/605.1.15", "Safari 26", "macOS"),
        (f"{IPHONE} {APPLE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari 18", "iPhone"),
        (f"{IPHONE} {APPLE} CriOS/148.0 Mobile/15E148 Safari/604.1", "Chrome 148", "iPhone"),
        (f"{IPHONE} {APPLE} FxiOS/150.0 Mobile/15E148 Safari/604.1", "Firefox 150", "iPhone"),
        (
            "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari 18",
            "iPad",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 15) {WEBKIT} SamsungBrowser/28.0 Chrome/130.0",
            "Samsung Internet 28",
            "Android",
        ),
        (
            f"Mozilla/5.0 (X11; CrOS x86_64 16238.0.0) {WEBKIT} Chrome/148.0",
            "Chrome 148",
            "ChromeOS",
        ),
        (f"{LINUX}) {WEBKIT} HeadlessChrome/148.0 Safari/537.36", "Headless Chrome 148", "Linux"),
        (f"{WINDOWS} Trident/7.0; rv:11.0) like Gecko", "Internet Explorer 11", "Windows"),
        ("aws-cli/2.35.1 md/awscrt#0.31 os/macos", "AWS CLI 2.35", None),
        ("Boto3/1.44.5 md/Botocore#1.44.5", "Boto3 1.44", None),
        ("Botocore/1.44.5", "Botocore 1.44", None),
        ("python-requests/2.32.4", "Python Requests 2.32", None),
        ("curl/8.14.1", "curl 8", None),
        ("Wget/1.25.0", "Wget 1", None),
        ("Java/21.0.7", "Java 21.0", None),
        ("Go-http-client/1.1", "Go 1", None),
        ("S3Console/0.4", None, None),
        ("", None, None),
    ],
)
def test_browser_and_system_are_named_for_people(
    user_agent: str, browser: str | None, system: str | None
) -> None:
    assert (browser_of(user_agent), system_of(user_agent)) == (browser, system)


@pytest.mark.parametrize(
    ("user_agent", "client"),
    [
        (f"(Linux; Android 15) {WEBKIT} SamsungBrowser/28.0 Chrome/1", "Samsung Internet/Android"),
        ("curl/8.14.1", "curl/"),
        (f"{WINDOWS} something new", "/Windows"),
        (None, "/"),
    ],
)
def test_the_client_that_a_baseline_knows_is_browser_and_system_without_versions(
    user_agent: str | None, client: str
) -> None:
    assert client_of(user_agent) == client


def test_a_user_agent_without_end_is_read_no_further_than_its_beginning() -> None:
    assert browser_of("x" * 100_000 + " Firefox/149.0") is None
    assert system_of("x" * 100_000 + " Windows") is None
