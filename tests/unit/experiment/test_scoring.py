import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.experiment.scoring import GROUPINGS, Score, Scored, pooled, score

TEXTS = st.lists(
    st.sampled_from(["так", "ні", "шина", "205/55", "R16", "4", "шини", "067 123 45 67"]), max_size=6
).map(" ".join)


def scored(reference: str, hypothesis: str, *, language: str = "uk-UA", turn_type: str = "") -> Scored:
    return Scored(
        call_id="a", language_code=language, turn_type=turn_type, score=score(reference, hypothesis, language)
    )


def test_formatting_is_not_an_error_of_hearing() -> None:
    found = score("чотири шини двісті п'ять на п'ятдесят п'ять ер шістнадцять", "4 шини 205/55 R16.", "uk-UA")
    assert found.words.errors == 0
    assert found.written.errors > 0
    assert found.characters.errors == 0
    assert {kind: errors.hits for kind, errors in found.entities.items()} == {"size": 1, "quantity": 1}


def test_a_wrong_size_is_one_missed_and_one_invented() -> None:
    found = score("шини 205/55 R16", "шини 215/55 R16", "uk-UA")
    size = found.entities["size"]
    assert (size.hits, size.missed, size.invented) == (0, 1, 1)
    assert found.entity_errors.rate == 1.0


def test_utterances_without_entities_have_no_rate_of_them() -> None:
    assert score("так", "так", "uk-UA").entity_errors.rate is None


def test_words_heard_where_nothing_was_said_are_counted_per_minute() -> None:
    found = score("", "дякую за перегляд", "uk-UA", audio_seconds=30.0)
    assert found.silent_words_per_minute == 6.0
    assert found.words.reference_words == 0
    assert found.words.errors == 0
    assert found.utterances == 0
    assert Score().silent_words_per_minute is None


def test_a_group_is_pooled_by_words() -> None:
    utterances = [scored("так", "ні"), scored("а б в г д ж и к л", "а б в г д ж и к л")]
    assert pooled(utterances, GROUPINGS["language"])["uk-UA"].words.wer == pytest.approx(0.1)
    assert list(pooled(utterances, GROUPINGS["length"])) == ["1 to 2 words", "9 words and more"]


def test_groups_are_by_language_length_and_turn_type() -> None:
    utterances = [
        scored("так", "так", turn_type="answer"),
        scored("мне нужны шины", "мне нужны шины", language="ru-RU"), scored("", "щось"),
    ]  # fmt: skip
    assert list(pooled(utterances, GROUPINGS["language"])) == ["ru-RU", "uk-UA"]
    assert list(pooled(utterances, GROUPINGS["length"])) == ["1 to 2 words", "3 to 8 words", "nothing said"]
    assert list(pooled(utterances, GROUPINGS["turn_type"])) == ["", "answer"]


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_sums_do_not_depend_on_the_order(pairs: list[tuple[str, str]]) -> None:
    scores = [score(reference, hypothesis, "uk-UA") for reference, hypothesis in pairs]
    assert sum(scores, Score()) == sum(reversed(scores), Score())


@given(TEXTS, TEXTS)
def test_what_is_missed_one_way_is_invented_the_other(first: str, second: str) -> None:
    there, back = score(first, second, "uk-UA"), score(second, first, "uk-UA")
    if there.utterances and back.utterances:
        assert there.entity_errors.missed == back.entity_errors.invented
        assert there.entity_errors.rate == back.entity_errors.rate
