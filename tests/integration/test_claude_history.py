"""What Claude is sent of a call: of answers that were cut off, and of a call that is told in short."""

import asyncio

import pytest
from tests.integration.claude_desk import desk, words

from slukh.dialog.base import CallerSaid, CallerSilent
from slukh.testing.anthropic_server import Speaks


async def test_an_interrupted_answer_is_paid_for_and_the_model_is_told_what_was_heard() -> None:
    async with desk(
        Speaks("Перше речення. Друге речення триває довго.", hangs_after=4), Speaks("Так.")
    ) as own:
        answer = own.talk.answer(CallerSaid(text="шини", language_code="uk-UA"))
        await anext(answer)
        await answer.aclose()
        own.talk.interrupted("Перше")
        (used,) = own.used
        assert used.outcome == "aborted"
        assert used.output_tokens >= len("Перше речення. ") / 2.4 - 1
        await own.says("ні, зачекайте")
        texts = [m["content"][0]["text"] for m in own.server.requests[1]["messages"]]
        assert texts[-3:] == ["шини", "Перше [interrupted by the caller]", "ні, зачекайте"]


async def test_an_answer_of_which_nothing_was_heard_has_not_taken_place() -> None:
    async with desk(Speaks("Так.")) as own:
        await own.says("шини")
        own.talk.interrupted("")
        await own.says("шини зимові")
        texts = [m["content"][0]["text"] for m in own.server.requests[1]["messages"]]
        assert texts[2:] == ["шини зимові"]


async def test_interrupting_our_question_into_silence_leaves_the_answer_before_it_as_it_was() -> None:
    async with desk(Speaks("Який розмір?")) as own:
        await own.says("шини")
        for heard in ("Ви ще", ""):
            await own.says(CallerSilent(times=1))
            own.talk.interrupted(heard)
        await own.says("двісті п'ять")
        texts = [m["content"][0]["text"] for m in own.server.requests[1]["messages"]]
        assert texts[2:] == ["шини", "Який розмір?", "двісті п'ять"]


async def test_a_long_call_is_told_in_short() -> None:
    async with desk(Speaks("Так, звісно."), longest_history=200) as own:
        for turn in range(12):
            await own.says(f"довге запитання номер {turn}")
            await own.summed_up()
        assert own.talk.history.messages[0]["content"][0]["text"].startswith("[Summary")
        assert len(own.talk.history.messages) <= 14
        assert len(own.used) > 12


async def test_an_interrupted_turn_takes_no_more_than_itself_from_a_call_that_was_told_in_short() -> None:
    async with desk(Speaks("Так, звісно."), longest_history=200) as own:
        for turn in range(12):
            await own.says(f"довге запитання номер {turn}")
            await own.summed_up()
            if own.talk.history.messages[0]["content"][0]["text"].startswith("[Summary"):
                break
        before = list(own.talk.history.messages)
        own.talk.interrupted("")
        assert own.talk.history.messages == before[:-2]


async def test_a_summary_without_words_replaces_nothing() -> None:
    async with desk(*[Speaks("Так.")] * 5, Speaks(""), longest_history=0) as own:
        first = own.talk.history.messages[0]
        for turn in range(5):
            await own.says(f"запитання номер {turn}")
            await own.summed_up()
        assert len(own.used) == 6
        assert own.talk.history.messages[0] == first


async def test_a_summary_that_takes_too_long_is_given_up_and_the_turns_stay() -> None:
    slow = Speaks("Коротко.", after_seconds=1)
    async with desk(*[Speaks("Так.")] * 5, slow, longest_history=0, summary_seconds=0.2) as own:
        for turn in range(5):
            await own.says(f"запитання номер {turn}")
        before = list(own.talk.history.messages)
        await own.summed_up()
        assert own.talk.history.messages == before
        assert len(own.used) == 5
        await own.dialog.settled()
        assert len(own.used) == 6  # it is paid for


async def test_an_answer_does_not_wait_for_a_summary_which_ends_with_the_call() -> None:
    slow = Speaks("Коротко.", after_seconds=1)
    async with desk(*[Speaks("Так.")] * 5, slow, longest_history=0) as own:
        for turn in range(5):
            assert words(await own.says(f"запитання номер {turn}")) == ["Так."]
        summary = own.talk.summing_up
        assert summary is not None
        assert not summary.done()
        own.talk.close()
        with pytest.raises(asyncio.CancelledError):
            await summary
