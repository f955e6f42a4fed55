from typing import Any

import pytest

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent
from slukh.talking.turns import HOLD_SECONDS, Repeat, Said, Turns, Unheard, is_unfinished


def turns() -> Turns:
    return Turns(silence_seconds=8, hearing_seconds=10, now=0.0)


def said(text: str, at: float = 1.0, utterance_id: int = 1, code: str = "uk-UA", **more: Any) -> Said:
    return Said(utterance_id=utterance_id, text=text, language_code=code, at=at, **more)


def asked(own: Turns, now: float) -> object:
    turn = own.due(now)
    return None if turn is None else turn.turn


def test_what_the_caller_said_is_answered_at_once() -> None:
    own = turns()
    own.started(1)
    assert own.due(1.0) is None
    own.final(said("Шини"))
    turn = own.due(1.0)
    assert turn is not None
    assert turn.turn == CallerSaid(text="Шини", language_code="uk-UA")
    assert own.due(1.0) is None


def test_nobody_is_answered_while_they_speak_on() -> None:
    own = turns()
    own.started(1)
    own.started(2)
    own.final(said("Мені треба"))
    assert own.due(1.0) is None
    assert own.next_deadline() is None
    own.final(said("шини", 2.0, 2, "ru-RU"))
    turn = own.due(2.0)
    assert turn is not None
    assert turn.turn == CallerSaid(text="Мені треба шини", language_code="ru-RU")
    assert turn.utterance_id == 2


def test_a_sentence_that_is_not_finished_is_given_a_moment() -> None:
    own = turns()
    own.final(said("двісті п'ять на"))
    assert own.due(1.1) is None
    assert own.next_deadline() == 1.0 + HOLD_SECONDS
    own.started(2)
    own.final(said("п'ятдесят п'ять", 2.0, 2))
    turn = own.due(2.0)
    assert turn is not None
    assert turn.turn == CallerSaid(text="двісті п'ять на п'ятдесят п'ять", language_code="uk-UA")


def test_a_sentence_that_stays_unfinished_is_answered_all_the_same() -> None:
    own = turns()
    own.final(said("або"))
    assert own.due(1.0 + HOLD_SECONDS) is not None


def test_what_was_not_answered_is_answered_with_what_follows() -> None:
    own = turns()
    own.final(said("Добрий день"))
    turn = own.due(1.0)
    assert turn is not None
    own.started(2)
    own.unanswered(turn)
    own.final(said("мені шини", 2.0, 2))
    again = own.due(2.0)
    assert again is not None
    assert again.turn == CallerSaid(text="Добрий день мені шини", language_code="uk-UA")


def test_a_caller_whom_no_recogniser_heard_is_asked_again() -> None:
    own = turns()
    own.started(1)
    own.final(said("", is_lost=True))
    assert asked(own, 1.0) == Unheard(times=1)
    assert own.due(1.0) is None
    own.final(said("", is_lost=True))
    assert asked(own, 1.0) == Unheard(times=2)
    own.final(said("Так"))
    own.due(1.0)
    own.final(said("", is_lost=True))
    assert asked(own, 1.0) == Unheard(times=1)


def test_a_final_that_does_not_come_is_waited_for_ten_seconds() -> None:
    own = turns()
    own.started(1)
    assert own.next_deadline() is None
    own.ended(1, 5.0)
    assert own.due(14.9) is None
    assert own.next_deadline() == 15.0
    assert asked(own, 15.0) == Unheard(times=1)


def test_a_final_that_comes_while_they_are_asked_again_is_answered() -> None:
    own = turns()
    own.started(1)
    own.ended(1, 5.0)
    own.due(15.0)
    own.final(said("Шини", 16.0))
    assert asked(own, 16.0) == CallerSaid(text="Шини", language_code="uk-UA")


def test_a_final_that_comes_after_they_have_begun_to_say_it_again_is_not() -> None:
    own = turns()
    own.started(1)
    own.ended(1, 5.0)
    own.due(15.0)
    own.started(2)
    own.final(said("Шини", 18.0))
    own.final(said("Шини", 19.0, 2))
    assert asked(own, 19.0) == CallerSaid(text="Шини", language_code="uk-UA")


def test_a_long_voice_in_which_nothing_was_heard_is_asked_about_twice_and_then_is_nobody() -> None:
    own, asks = turns(), []
    for number in range(4):
        own.started(number)
        own.final(said("", 2.0 + number, number, voice_seconds=1.5))
        asks.append(asked(own, 2.0 + number))
    assert asks == [Unheard(times=1, is_empty=True), Unheard(times=1, is_empty=True), None, None]
    assert asked(own, 8.0) == CallerSilent(times=1)


def test_noises_do_not_put_off_the_question_into_silence() -> None:
    own = turns()
    own.final(said("", 5.0))
    assert asked(own, 7.9) is None
    assert asked(own, 8.0) == CallerSilent(times=1)


def test_what_was_not_heard_of_us_is_said_again_unless_the_caller_speaks() -> None:
    own = turns()
    own.repeat()
    assert asked(own, 1.0) == Repeat()
    own.repeat()
    own.final(said("Так"))
    assert asked(own, 1.0) == CallerSaid(text="Так", language_code="uk-UA")
    assert asked(own, 1.0) is None


def test_a_key_whose_answer_nobody_heard_is_answered_again() -> None:
    own = turns()
    own.pressed("0", 1.0)
    turn = own.due(1.0)
    assert turn is not None
    own.unanswered(turn)
    assert asked(own, 1.0) == CallerPressed(digit="0")


def test_a_noise_is_not_answered() -> None:
    own = turns()
    own.started(1)
    own.final(said(""))
    assert own.due(2.0) is None
    assert own.due(9.0) is not None


def test_a_key_comes_before_everything() -> None:
    own = turns()
    own.started(1)
    own.pressed("5", 1.0)
    own.pressed("6", 1.0)
    for digit in "56":
        turn = own.due(1.0)
        assert turn is not None
        assert turn.turn == CallerPressed(digit=digit)


def test_silences_are_counted_until_somebody_speaks() -> None:
    own = turns()
    times = []
    for now in (8.0, 16.0, 20.0):
        turn = own.due(now)
        times.append(turn.turn.times if turn and isinstance(turn.turn, CallerSilent) else 0)
    assert times == [1, 2, 0]
    own.final(said("Так", 21.0))
    own.due(21.0)
    own.spoke(25.0)
    assert own.due(32.9) is None
    turn = own.due(33.0)
    assert turn is not None
    assert turn.turn == CallerSilent(times=1)


@pytest.mark.parametrize(
    "text",
    [
        "двісті п'ять",
        "205 на 55.",
        "Розмір 205/55, радіус",
        "двісті на",
        "мені потрібні або",
        "Мне нужны,",
        "это",
        "205 -",
    ],
)
def test_some_endings_promise_more(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize(
    "text",
    ["у 2018", "45-12", "205 не треба", "", "Так.", "шини", "Для чого це?", "на.", "205 55 16"],
)
def test_others_do_not(text: str) -> None:
    assert not is_unfinished(text)
