import unicodedata

import jiwer
import kaldialign  # type: ignore[import-untyped]  # ships no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.experiment.wer import CharacterErrors, WordErrors, character_errors, plain_text, word_errors

WORDS = st.lists(st.sampled_from(["так", "ні", "шина", "шини", "205", "зимова"]), max_size=12).map(" ".join)
SAID = WORDS.filter(bool)
# What callers and engines write: Cyrillic and Latin letters, digits, marks, punctuation, every apostrophe.
TEXTS = st.text(st.characters(max_codepoint=0x52F) | st.sampled_from("’ʼ‘`´′＇ʼ–—«»„“…№\u0301\u0306\u0308"))


@pytest.mark.parametrize(
    ("reference", "hypothesis", "expected"),
    [
        ("a b c", "a b c", (0, 0, 0, 3)),
        ("a b c", "a x c", (1, 0, 0, 3)),
        ("a b c", "a c", (0, 1, 0, 3)),
        ("a b c", "a b b c", (0, 0, 1, 3)),
        ("a b c", "", (0, 3, 0, 3)),
        ("", "дякую за перегляд", (0, 0, 3, 0)),
    ],
)
def test_edits_are_told_apart(reference: str, hypothesis: str, expected: tuple[int, int, int, int]) -> None:
    found = word_errors(reference, hypothesis)
    assert (found.substitutions, found.deletions, found.insertions, found.reference_words) == expected


def test_an_empty_reference_has_no_rate_but_keeps_its_insertions() -> None:
    assert word_errors("", "дякую").wer is None
    assert character_errors("", "ok").cer is None
    assert character_errors("", "ok").insertions == 2
    assert word_errors("", "").errors == 0


def test_a_rate_exceeds_one_when_more_was_invented_than_said() -> None:
    assert word_errors("так", "ні ні ні").wer == 3.0


def test_pooling_weighs_words_not_utterances() -> None:
    pooled = word_errors("так", "ні") + word_errors("a b c d e f g h i", "a b c d e f g h i")
    assert pooled.wer == pytest.approx(0.1)


def test_characters_ignore_runs_of_white_space() -> None:
    assert character_errors(" а  б ", "а б").errors == 0
    assert character_errors("а б", "аб").deletions == 1


@given(SAID, WORDS)
def test_words_agree_with_jiwer(reference: str, hypothesis: str) -> None:
    ours, theirs = word_errors(reference, hypothesis), jiwer.process_words(reference, hypothesis)
    assert (ours.substitutions, ours.deletions, ours.insertions) == (
        theirs.substitutions, theirs.deletions, theirs.insertions,
    )  # fmt: skip
    assert ours.wer == pytest.approx(theirs.wer)


@given(SAID, WORDS)
def test_the_number_of_errors_agrees_with_kaldialign(reference: str, hypothesis: str) -> None:
    # Only their number: it breaks ties another way, so the kinds of errors of two tools never compare.
    theirs = kaldialign.edit_distance(reference.split(), hypothesis.split())
    assert word_errors(reference, hypothesis).errors == theirs["total"]


@given(SAID, WORDS)
def test_characters_agree_with_jiwer(reference: str, hypothesis: str) -> None:
    ours, theirs = character_errors(reference, hypothesis), jiwer.process_characters(reference, hypothesis)
    assert (ours.substitutions, ours.deletions, ours.insertions) == (
        theirs.substitutions, theirs.deletions, theirs.insertions,
    )  # fmt: skip
    assert ours.cer == pytest.approx(theirs.cer)


@given(st.lists(st.tuples(SAID, WORDS), min_size=1, max_size=6))
def test_sums_agree_with_jiwer_over_many_utterances(pairs: list[tuple[str, str]]) -> None:
    references, hypotheses = [r for r, _ in pairs], [h for _, h in pairs]
    words = sum((word_errors(r, h) for r, h in pairs), WordErrors())
    characters = sum((character_errors(r, h) for r, h in pairs), CharacterErrors())
    assert words.wer == pytest.approx(jiwer.process_words(references, hypotheses).wer)
    assert characters.cer == pytest.approx(jiwer.process_characters(references, hypotheses).cer)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("П’ять, будь ласка!", "п'ять будь ласка"),
        ("п`ять п′ять пʼять п‘ять", "п'ять п'ять п'ять п'ять"),
        ("Ещё ёлка", "еще елка"),
        ("за́мок и замо́к", "замок и замок"),
        ("Їжак і йод", "їжак і йод"),
        ("205/55 R16, 1,5", "205 55 r16 1 5"),
        ("«'Так'», — сказав", "так сказав"),
        ("кто-то snake_case", "кто то snake case"),
        ("…", ""),
        ("STRASSE straße", "strasse strasse"),
    ],
)
def test_plain_text_is_what_the_ear_has(written: str, plain: str) -> None:
    assert plain_text(written) == plain
    assert plain_text(unicodedata.normalize("NFD", written)) == plain


@given(TEXTS)
def test_plain_text_of_plain_text_is_itself(text: str) -> None:
    assert plain_text(plain_text(text)) == plain_text(text)


@given(TEXTS)
def test_plain_text_does_not_depend_on_case_or_composition(text: str) -> None:
    assert plain_text(unicodedata.normalize("NFD", text)) == plain_text(text)
    assert plain_text(text.casefold()) == plain_text(text)
