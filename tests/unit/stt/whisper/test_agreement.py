"""What two hypotheses in a row agree on is never taken back."""

from hypothesis import given
from hypothesis import strategies as st

from slukh.stt.whisper.agreement import LocalAgreement

sentences = st.lists(st.sampled_from(["добрий", "Добрий,", "день", "день.", "шини", "на", "р16"]), max_size=8)


def shown(*hypotheses: str) -> list[tuple[str, int]]:
    agreement = LocalAgreement()
    return [agreement.update(hypothesis) for hypothesis in hypotheses]


def test_nothing_is_stable_until_two_agree() -> None:
    assert shown("добрий день") == [("добрий день", 0)]


def test_the_words_that_two_in_a_row_share_are_stable() -> None:
    assert shown("добрий день", "добрий день мені")[-1] == ("добрий день мені", len("добрий день"))


def test_commas_and_capitals_do_not_break_an_agreement() -> None:
    assert shown("Добрий день", "добрий, день мені")[-1] == ("добрий, день мені", len("добрий, день"))


def test_two_that_differ_from_the_first_word_agree_on_nothing() -> None:
    assert shown("добрий день", "доброго дня")[-1] == ("доброго дня", 0)


def test_stable_words_stand_when_a_later_hypothesis_changes_its_mind() -> None:
    text, stable_length = shown("мені шини", "мені шини на", "мені шини на", "мене шина на зиму")[-1]
    assert text == "мені шини на зиму"
    assert stable_length == len("мені шини на")


def test_a_word_that_falls_in_two_is_not_said_twice() -> None:
    text, _ = shown("переадресовувати всі", "переадресовувати всі", "пере адресовувати всі виклики")[-1]
    assert text == "переадресовувати всі виклики"


def test_a_word_that_is_left_out_takes_no_other_with_it() -> None:
    text, _ = shown("так мені треба шини", "так мені треба шини", "мені треба шини зимові")[-1]
    assert text == "так мені треба шини зимові"


def test_an_empty_hypothesis_takes_nothing_back() -> None:
    assert shown("так мені", "так мені", "")[-1] == ("так мені", len("так мені"))


@given(st.lists(sentences, max_size=12))
def test_the_stable_prefix_only_ever_grows(hypotheses: str) -> None:
    agreement = LocalAgreement()
    stable = ""
    for words in hypotheses:
        text, stable_length = agreement.update(" ".join(words))
        assert len(text) >= stable_length >= len(stable)
        assert text.startswith(stable)
        stable = text[:stable_length]


@given(sentences)
def test_a_hypothesis_that_repeats_itself_becomes_stable_whole(words: list[str]) -> None:
    text, stable_length = shown(" ".join(words), " ".join(words))[-1]
    assert text == " ".join(words)
    assert stable_length == len(text)
