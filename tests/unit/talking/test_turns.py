import pytest

from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent
from slukh.talking.turns import HOLD_SECONDS, Said, Turns, is_unfinished


def turns() -> Turns:
    return Turns(silence_seconds=8, now=0.0)


def said(text: str, at: float = 1.0, utterance_id: int = 1, code: str = "uk-UA") -> Said:
    return Said(utterance_id=utterance_id, text=text, language_code=code, at=at)


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
    own.unheard()
    own.final(said(""))
    turn = own.due(1.0)
    assert turn is not None
    assert turn.turn is None
    assert own.due(1.0) is None


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


@pytest.mark.parametrize("text", ["двісті на", "мені потрібні або", "Мне нужны,", "это", "205 -"])
def test_some_endings_promise_more(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize("text", ["", "Так.", "шини", "Для чого це?", "на.", "205 55 16"])
def test_others_do_not(text: str) -> None:
    assert not is_unfinished(text)
