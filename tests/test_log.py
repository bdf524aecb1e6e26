"""The log: one JSON object a line."""

import json
import logging
from datetime import UTC, datetime

import pytest

from chalicelib import log

SECRET = "https://hooks.slack.com/services/T0/B0/fake"


def test_each_entry_is_one_json_object_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.write(level="INFO", message="two\nlines\u2028and more", count=2)
    log.write(level="INFO", message="한국어 \ud800")
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"level": "INFO", "message": "two\nlines\u2028and more", "count": 2},
        {"level": "INFO", "message": "한국어 \ud800"},
    ]


def test_what_json_does_not_know_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.write(at=datetime(2026, 6, 1, tzinfo=UTC))
    assert json.loads(capsys.readouterr().out) == {"at": "2026-06-01 00:00:00+00:00"}


def test_an_error_that_was_made_good_is_logged_by_class_and_place_and_not_by_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise ValueError(SECRET)

    try:
        fail()
    except ValueError as error:
        log.write_failure("It was made good.", error)
    written = capsys.readouterr().out
    line = json.loads(written)
    assert (line["level"], line["message"], line["error"]) == (
        "ERROR",
        "It was made good.",
        "ValueError",
    )
    assert line["where"][-1].startswith(__file__)
    assert line["where"][-1].endswith(" fail")
    assert SECRET not in written


def test_a_muted_logger_still_writes_what_is_above_the_level(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("some.library")
    monkeypatch.setattr(logger, "filters", [])  # as they will be again
    caplog.set_level(logging.DEBUG, logger=logger.name)
    log.mute_logger(logger.name, up_to=logging.DEBUG)
    logger.debug("a secret")
    logger.info("news")
    assert [record.message for record in caplog.records] == ["news"]
