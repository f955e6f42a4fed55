"""From the questions of a session to labels, without a page."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from slukh.experiment.evidence import LabelRow
from slukh.experiment.labelling.questions import Contested, Question, questions
from slukh.experiment.labelling.session import NotAskedError, Reply, Session

Make = Callable[..., Contested]


def session_of(*utterances: Contested, done_before: int = 0) -> Session:
    return Session(questions(utterances, seed=1), labeller="olena", done_before=done_before, now=0.0)


def right(session: Session, provider: str) -> Reply:
    """The letter under which a provider's text is shown now."""
    assert session.question is not None
    return "a" if (provider == "whisper") is session.question.is_swapped else "b"


def label(utterance: Contested, *replies: str | tuple[str, str]) -> LabelRow:
    """What a session makes of an utterance: a provider who is right, another reply, or one with its text."""
    session, found = session_of(utterance), None
    for reply in replies:
        name, text = reply if isinstance(reply, tuple) else (reply, "")
        chosen = right(session, name) if name in {"google", "whisper"} else name
        found = session.answer(session.number, chosen, text, now=1.0)  # type: ignore[arg-type]
    assert found is not None
    return found


def errors(row: LabelRow) -> tuple[int, int, int]:
    return row.words, row.google_errors, row.whisper_errors


@pytest.mark.parametrize(
    ("reply", "counts"),
    [
        ("google", (3, 0, 1)),
        ("whisper", (3, 1, 0)),
        ("both", (3, 0, 0)),
        (("typed", "двісті двадцять п'ять на п'ятдесят п'ять"), (3, 1, 1)),
        (("typed", "зимові 225/55"), (4, 2, 2)),
        (("typed", "-"), (2, 1, 1)),  # nothing was said there
        ("neither", (2, 0, 0)),  # the place is left out of both
        ("skip", (2, 0, 0)),
        (("typed", " "), (2, 0, 0)),
    ],
)
def test_an_answer_counts_against_who_was_wrong(
    two_texts: Make, reply: str | tuple[str, str], counts: tuple[int, int, int]
) -> None:
    assert errors(label(two_texts("мені шини 205/55", "мені шини 215/55"), reply)) == counts


def test_a_label_has_the_probability_and_says_what_nobody_could_tell(two_texts: Make) -> None:
    utterance = two_texts("мені шини 205/55", "мені шини 215/55")
    clear, unclear = label(utterance, "google"), label(utterance, "skip")
    assert (clear.labeller, clear.probability, clear.call_id, clear.utterance_id) == (
        "olena",
        0.25,
        "call",
        1,
    )
    assert (clear.is_unclear, unclear.is_unclear) == (False, True)


def test_entities_are_counted_as_in_labels_from_a_file(two_texts: Make) -> None:
    found = label(two_texts("мені шини 205/55", "мені шини 215/55"), "google")
    assert (found.entities, found.google_entity_errors, found.whisper_entity_errors) == (1, 0, 2)


def test_two_people_agree_when_they_mean_the_same_words(two_texts: Make) -> None:
    utterance = two_texts("мені шини 205/55", "мені шини 215/55")
    chosen, typed = label(utterance, "google"), label(utterance, ("typed", "двісті п'ять на п'ятдесят п'ять"))
    assert chosen.reference == typed.reference
    assert len({label(utterance, reply).reference for reply in ("google", "whisper", "both", "skip")}) == 4


def test_each_difference_of_an_utterance_is_a_question_of_its_own(two_texts: Make) -> None:
    utterance = two_texts("потрібні шини 205/55", "потрібно шини 215/55")
    assert errors(label(utterance, "google", "whisper")) == (3, 1, 1)
    assert errors(label(utterance, "google", "skip")) == (2, 0, 1)


def test_an_utterance_is_labelled_when_its_last_question_is_answered(two_texts: Make) -> None:
    session = session_of(two_texts("потрібні шини 205/55", "потрібно шини 215/55"))
    assert session.answer(0, "a", "", now=1.0) is None
    assert session.answer(1, "b", "", now=2.0) is not None
    assert session.question is None


def test_undo_asks_again_and_withdraws_the_label_that_it_undoes(two_texts: Make) -> None:
    first = two_texts("так", "ні")
    session = session_of(first, two_texts("потрібні шини", "потрібно шини", utterance_id=2))
    assert session.undo(now=0.0) is None
    made = session.answer(0, "a", "", now=1.0)
    assert session.undo(now=2.0) == made
    assert session.question is not None
    assert session.question.contested is first


def test_undo_in_the_middle_of_an_utterance_withdraws_nothing(two_texts: Make) -> None:
    session = session_of(two_texts("потрібні шини 205/55", "потрібно шини 215/55"))
    session.answer(0, "a", "", now=1.0)
    assert session.undo(now=2.0) is None
    assert session.number == 0


@pytest.mark.parametrize("number", [0, 2])
def test_a_key_that_was_pressed_twice_answers_no_other_question(two_texts: Make, number: int) -> None:
    session = session_of(two_texts("так", "ні"), two_texts("так", "ні", utterance_id=2))
    session.answer(0, "a", "", now=1.0)
    with pytest.raises(NotAskedError):
        session.answer(number, "a", "", now=1.1)
    assert session.number == 1


def test_what_is_left_is_told_at_the_pace_of_the_last_answers(two_texts: Make) -> None:
    session = session_of(*(two_texts("так", "ні", utterance_id=n) for n in range(40)), done_before=10)
    assert (session.progress.done, session.progress.of, session.progress.minutes_left) == (10, 50, 8)
    for number in range(10):
        session.answer(number, "a", "", now=6.0 * (number + 1))
    assert (session.progress.done, session.progress.minutes_left) == (20, 3)
    session.answer(10, "a", "", now=9999.0)  # a coffee
    assert session.progress.minutes_left == 3


def test_who_is_a_is_drawn_for_each_question_and_stays_so(two_texts: Make) -> None:
    utterances = [two_texts("так", "ні", utterance_id=n) for n in range(400)]
    swapped = [each.is_swapped for each in questions(utterances, seed=1)]
    assert 150 < sum(swapped) < 250
    assert 150 < sum(one != other for one, other in pairwise(swapped)) < 250
    assert swapped == [each.is_swapped for each in questions(utterances, seed=1)]
    assert swapped != [each.is_swapped for each in questions(utterances, seed=2)]


def shown(question: Question) -> list[str]:
    """Both texts, what is asked in brackets."""
    return [
        " ".join(f"[{word}]" if role == "asked" else word for word, role in line) for line in question.lines()
    ]


def test_both_texts_are_shown_in_one_form_with_what_is_asked(two_texts: Make) -> None:
    first, second = questions([two_texts("Потрібні шини, R16!", "потрібно шини ер сімнадцять")], seed=1)
    assert sorted(shown(first)) == ["[потрібно] шини r17", "[потрібні] шини r16"]
    assert {role for line in second.lines() for _, role in line} == {"same", "asked", "elsewhere"}


def test_where_a_text_has_no_words_an_empty_one_stands(two_texts: Make) -> None:
    (question,) = questions([two_texts("так добре", "добре")], seed=1)
    assert sorted(shown(question)) == ["[] добре", "[так] добре"]


def test_a_clip_is_cut_out_of_the_utterance(two_texts: Make) -> None:
    utterance = two_texts("перша друга третя четверта", "перша друга третя п'ята")
    (question,) = questions([utterance], seed=1)
    assert utterance.pcm.endswith(question.clip())
    assert 0 < len(question.clip()) < len(utterance.pcm)
