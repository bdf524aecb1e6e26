"""Names the browser and the system of a user agent, by a short table.

A table and not a parser from PyPI: those bring hundreds of patterns, which every cold start would
load, and a person who reads an alert needs "Firefox on Windows", not a build number.
"""

import re
from typing import Final

# The first that matches names it: every Edge also says Chrome, every Chrome also says Safari.
_BROWSERS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("AWS CLI", r"aws-cli/(\d+(?:\.\d+)?)"),
        ("Boto3", r"Boto3/(\d+(?:\.\d+)?)"),
        ("Botocore", r"[Bb]otocore/(\d+(?:\.\d+)?)"),
        ("curl", r"^curl/(\d+)"),
        ("Wget", r"^Wget/(\d+)"),
        ("Python Requests", r"python-requests/(\d+(?:\.\d+)?)"),
        ("Java", r"^Java/(\d+(?:\.\d+)?)"),
        ("Go", r"^Go-http-client/(\d+)"),
        ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
        ("Opera", r"(?:OPR|OPiOS)/(\d+)"),
        ("Vivaldi", r"Vivaldi/(\d+)"),
        ("Samsung Internet", r"SamsungBrowser/(\d+)"),
        ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
        ("Headless Chrome", r"HeadlessChrome/(\d+)"),
        ("Chrome", r"(?:Chrome|CriOS|Chromium)/(\d+)"),
        ("Safari", r"Version/(\d+)\S* (?:Mobile/\S+ )?Safari/"),
        ("Internet Explorer", r"(?:MSIE |Trident/.*rv:)(\d+)"),
    )
)
_SYSTEMS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("iPhone", r"iPhone"),
        ("iPad", r"iPad"),
        ("Android", r"Android"),
        ("ChromeOS", r"CrOS"),
        ("Windows", r"Windows"),
        ("macOS", r"Mac OS X|Macintosh|Darwin"),
        ("Linux", r"Linux|X11"),
    )
)
_LONGEST: Final = 512


def browser_of(user_agent: str) -> str | None:
    """Name the browser or tool, with its version: "Firefox 128"."""
    for name, pattern in _BROWSERS:
        if found := pattern.search(user_agent[:_LONGEST]):
            return f"{name} {found[1]}"
    return None


def system_of(user_agent: str) -> str | None:
    """Name the operating system or device: "Windows"."""
    for name, pattern in _SYSTEMS:
        if pattern.search(user_agent[:_LONGEST]):
            return name
    return None


def client_of(user_agent: str | None) -> str:
    """Return the browser and the system without versions, as `Chrome/macOS`, each if known."""
    agent = user_agent or ""
    browser = (browser_of(agent) or "").rpartition(" ")[0]
    return f"{browser}/{system_of(agent) or ''}"
