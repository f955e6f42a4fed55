"""Callers whose connection breaks, and who come back."""

import asyncio
from pathlib import Path

from tests.unit.talking.shop import Dialogue, FakeLine, in_virtual_time, shop

from slukh.dialog.script import read_script
from slukh.dialog.scripted import ScriptedDialog
from slukh.talking.talk import TalkRules

EXAMPLE = Path(__file__).parents[3] / "examples" / "dialog" / "tyre-shop.yaml"


@in_virtual_time
async def test_a_caller_who_comes_back_is_asked_the_last_question_again_and_not_greeted() -> None:
    own = shop()
    own.come()
    await own.spoken()
    await own.talk.close()
    await asyncio.sleep(10)
    own.come(leg=2)
    await own.spoken()
    own.say("Шини")
    await own.spoken()
    assert own.said() == ["Добрий день!", "Чим допомогти?", "Чим допомогти?", "Шини?"]


@in_virtual_time
async def test_an_answer_that_the_line_cut_off_is_given_again() -> None:
    own = shop()
    own.come()
    await own.spoken()
    own.say("Шини на машину")
    await own.spoken_to()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    assert own.said()[2:] == ["Шини на машину?", "Шини на машину?"]
    dialogue = own.answering.dialog
    assert isinstance(dialogue, Dialogue)
    assert dialogue.cut == [""]


@in_virtual_time
async def test_a_greeting_that_the_line_cut_off_is_said_again() -> None:
    own = shop()
    own.come()
    await own.spoken_to()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    assert own.said() == ["Добрий день!", "Чим допомогти?", "Добрий день!", "Чим допомогти?"]


@in_virtual_time
async def test_what_the_caller_said_before_the_line_broke_is_answered_when_they_are_back() -> None:
    own = shop()
    own.come()
    await own.spoken()
    utterance = own.speak()
    await own.talk.close()
    own.stop(utterance)
    own.understand(utterance, "Шини")
    own.come(leg=2)
    await own.spoken()
    assert own.said()[2:] == ["Шини?"]


@in_virtual_time
async def test_a_call_over_several_legs_is_no_longer_than_one() -> None:
    own = shop(rules=TalkRules(longest_seconds=40))
    own.come()
    await own.spoken()
    await own.talk.close()
    await asyncio.sleep(25)
    own.come(leg=2)
    await own.line.is_over.wait()
    assert 40 < own.now < 45


@in_virtual_time
async def test_a_call_whose_dialogue_has_left_begins_anew() -> None:
    own = shop()
    own.come()
    await own.line.is_over.wait()
    own.line = FakeLine()
    own.come(leg=2)
    await own.spoken()
    assert own.said()[-2:] == ["Добрий день!", "Чим допомогти?"]


@in_virtual_time
async def test_a_script_goes_on_in_the_state_where_the_line_broke() -> None:
    own = shop()
    own.answering.dialog = ScriptedDialog(read_script(EXAMPLE))
    own.come()
    await own.spoken()
    own.say("Потрібні шини")
    await own.spoken()
    await own.talk.close()
    own.come(leg=2)
    await own.spoken()
    own.say("двісті п'ять п'ятдесят п'ять шістнадцять")
    await own.spoken()
    assert own.said()[-1] == "Шини літні, зимові чи всесезонні?"
