"""Each provider against each reference."""

from slukh.experiment.accuracy import Accuracy, by_agreement, by_labels
from slukh.experiment.evidence import LabelRow, ShadowSum
from slukh.experiment.gates import ADJUDICATED

LANGUAGES = ("uk-UA", "ru-RU")


def version_of(language_code: str) -> str:
    return f"1-{language_code[:2]}"


def shadows(live: str, language_code: str = "uk-UA", *, version: str = "1-uk") -> ShadowSum:
    return ShadowSum(
        language_code=language_code, live=live, shadow="whisper" if live == "google" else "google",
        canonical_version=version, differing_words=10, live_words=100, shadow_words=80,
    )  # fmt: skip


def label(
    utterance: int, *, words: int, google: int, whisper: int, probability: float = 1.0,
    labeller: str = "olena", version: str = "1-uk",
) -> LabelRow:  # fmt: skip
    return LabelRow(
        call_id="c", utterance_id=utterance, labeller=labeller, probability=probability,
        canonical_version=version, reference="r", words=words, entities=0, google_errors=google,
        whisper_errors=whisper, google_entity_errors=0, whisper_entity_errors=0,
    )  # fmt: skip


def agreement(*sums: ShadowSum) -> dict[tuple[str, str], tuple[float, int]]:
    return table(by_agreement(sums, languages=LANGUAGES, version_of=version_of))


def human(*labels: LabelRow) -> dict[tuple[str, str], tuple[float, int]]:
    pairs = [("uk-UA", each) for each in labels]
    return table(by_labels(pairs, languages=LANGUAGES, version_of=version_of))


def table(found: list[Accuracy]) -> dict[tuple[str, str], tuple[float, int]]:
    return {(each.provider, each.language_code): (round(each.value, 9), each.words) for each in found}


def test_agreement_takes_the_other_ones_text_for_what_was_said() -> None:
    assert agreement(shadows("google")) == {
        ("whisper", "uk-UA"): (0.9, 100),
        ("google", "uk-UA"): (0.875, 80),
    }


def test_both_directions_are_pooled_by_words() -> None:
    assert agreement(shadows("google"), shadows("whisper")) == {
        ("whisper", "uk-UA"): (round(1 - 20 / 180, 9), 180),
        ("google", "uk-UA"): (round(1 - 20 / 180, 9), 180),
    }


def test_languages_without_a_name_of_their_own_are_pooled() -> None:
    found = agreement(shadows("google", "pl-PL", version="1-pl"), shadows("google", "de-DE", version="1-de"))
    assert found["whisper", "other"] == (0.9, 200)


def test_texts_of_another_canonical_version_are_left_out() -> None:
    assert agreement(shadows("google", version="2-uk")) == {}
    assert human(label(1, words=5, google=1, whisper=0, version="2-uk")) == {}


def test_a_label_stands_for_those_that_were_not_drawn() -> None:
    rare = label(1, words=4, google=2, whisper=0, probability=0.25)
    sure = label(2, words=4, google=0, whisper=4)
    assert human(rare, sure) == {
        ("google", "uk-UA"): (1 - 8 / 20, 8),
        ("whisper", "uk-UA"): (1 - 4 / 20, 8),
    }


def test_an_utterance_counts_once_as_it_was_settled() -> None:
    found = human(
        label(1, words=4, google=0, whisper=0, labeller=ADJUDICATED),
        label(1, words=4, google=4, whisper=4, labeller="taras"),
    )
    assert found == {("google", "uk-UA"): (1.0, 4), ("whisper", "uk-UA"): (1.0, 4)}


def test_where_nothing_was_said_there_is_no_rate() -> None:
    assert human(label(1, words=0, google=3, whisper=0)) == {}
