"""Every word that a reader sees, in each language."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import chalicelib
import ops
from chalicelib.messages.phrases import phrases_in
from chalicelib.self_check.run import EVENTS
from chalicelib.settings import DEFAULT_IGNORED_EVENTS
from chalicelib.signin.events import KNOWN_EVENTS
from chalicelib.signin.model import Mfa, Outcome, PrincipalType
from chalicelib.signin.severity import Reason
from tests.support.stage import LANGUAGES

TRANSLATIONS = tuple(language for language in LANGUAGES if language != "en")
# A fact that a sentence has no place for stands in the parenthesis at its end.
FACTS = {"reason", "via", "mfa", "source"}
# Faults that only doctor looks for.
OF_DOCTOR = {
    *("alarms_missing", "queue_differs", "queue_unfit", "settings_missing", "webhook_refused"),
}
OUTCOMES = ("success", "failure", "unknown", "anomaly", "not_understood")
# Particles that depend on the last sound of the name before them.
UNSURE_PARTICLE = re.compile(r"\}(이|가|은|는|을|를|과|와|으로|로)(?=[\s,.:{(]|$)")


def phrases(language: str) -> dict[str, str]:
    return phrases_in(language)._phrases


def placeholders(phrase: str) -> set[str]:
    """Name the placeholders; who begins a sentence in one language does not in another."""
    names = {name.rstrip("_") for _, name, _, _ in string.Formatter().parse(phrase) if name}
    return {"who" if name == "subject" else name for name in names}


def sources() -> Iterator[ast.AST]:
    for package in (chalicelib, ops):
        for file in Path(*package.__path__).rglob("*.py"):
            yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def test_the_languages_are_those_of_the_settings() -> None:
    files = (Path(chalicelib.__file__).parent / "messages" / "languages").glob("*.json")
    assert {file.stem for file in files} == set(LANGUAGES)


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_each_language_has_the_same_phrases_in_the_same_order(language: str) -> None:
    everywhere = [key for key in phrases("en") if not key.startswith("inline.")]
    assert [key for key in phrases(language) if not key.startswith("inline.")] == everywhere


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_words_for_what_its_sentences_have_places_for(language: str) -> None:
    sentences = [phrase for key, phrase in phrases(language).items() if key.startswith(OUTCOMES)]
    places = set().union(*map(placeholders, sentences)) & FACTS
    assert {key.split(".")[1] for key in phrases(language) if key.startswith("inline.")} == places
    assert {key.split(".")[1] for key in phrases(language) if key.startswith("note.")} >= FACTS


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_each_language_fills_the_same_placeholders(language: str) -> None:
    english = phrases("en")
    differing = {
        key: phrase
        for key, phrase in phrases(language).items()
        if placeholders(phrase) - FACTS != placeholders(english[key]) - FACTS
    }
    assert differing == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_event_answer_and_kind_of_user_has_words(language: str) -> None:
    wanted = {
        *(f"reason.{reason}" for reason in Reason if reason not in (Reason.FAILED, Reason.ROUTINE)),
        *(f"event.{name}" for name in KNOWN_EVENTS),
        *(f"success.{name}" for name in KNOWN_EVENTS - DEFAULT_IGNORED_EVENTS),
        *(f"who.{kind}" for kind in PrincipalType),
        *(f"outcome.{outcome}" for outcome in Outcome),
        *(f"mfa.{mfa}" for mfa in Mfa),
        *(f"step.{mfa}" for mfa in Mfa),
        *(f"title.{outcome.lower()}" for outcome in Outcome),
    }
    there = {key for key, phrase in phrases(language).items() if phrase}
    assert {key for key in wanted - there if f"{key}.root" not in there} == set()


def test_each_fault_of_the_self_check_has_words_for_when_it_is_gone() -> None:
    faults, resolved = (
        {key.removeprefix(family) for key in phrases("en") if key.startswith(family)}
        for family in ("fault.", "resolved.")
    )
    assert resolved == faults - OF_DOCTOR - set(EVENTS)


def test_no_phrase_is_unused() -> None:
    literals = {
        node.value
        for node in sources()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    families = {
        str(node.values[0].value)
        for node in sources()
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant)
    }
    families |= literals  # a prefix may be an argument
    families = {family for family in families if re.fullmatch(r"[a-z_]+\.([a-z_]+\.)?", family)}
    unused = {
        key
        for key in phrases("en")
        if key not in literals
        and key.partition(".")[0] not in OUTCOMES
        and not any(key.startswith(family) for family in families)
    }
    assert unused == set()


def test_every_sentence_is_of_a_known_event() -> None:
    outcomes = tuple(f"{prefix}{outcome}." for outcome in OUTCOMES[:3] for prefix in ("", "title."))
    named = {key.removeprefix("title.") for key in phrases("en") if key.startswith(outcomes)}
    assert {key.split(".")[1] for key in named} <= KNOWN_EVENTS


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_label_is_bold_on_its_own_line_and_nothing_else_is_marked(language: str) -> None:
    """A mark that touches Korean or Japanese often stays visible in Slack."""
    marked = {key: phrase for key, phrase in phrases(language).items() if re.search("[*`]", phrase)}
    assert marked == {"field": "*{label}*\n{value}"}


def test_no_korean_particle_depends_on_the_sound_of_a_name() -> None:
    unsure = {
        key: phrase for key, phrase in phrases("ko").items() if UNSURE_PARTICLE.search(phrase)
    }
    assert unsure == {}


def test_the_words_of_the_article_are_kept_in_japanese() -> None:
    japanese = phrases("ja")
    title = japanese["title.success"].format(event=japanese["event.ConsoleLogin"])
    assert title == "AWSコンソールへのログインを検知しました"
    labels = [japanese[f"label.{name}"] for name in ("who", "event", "outcome", "time")]
    assert labels == ["ユーザー名", "イベント名", "結果", "発生時刻"]
    assert not [phrase for phrase in japanese.values() if re.search("ユーザ(?!ー)", phrase)]


def test_a_phrase_that_does_not_exist_is_an_error_and_not_a_blank() -> None:
    with pytest.raises(KeyError):
        phrases_in("en")("no such phrase")
