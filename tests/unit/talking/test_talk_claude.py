"""A call that is told in short while it goes on."""

import asyncio
from typing import cast

from anthropic import AsyncStream
from anthropic.types import (
    RawContentBlockStartEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStreamEvent,
)
from tests.unit.talking.shop import in_virtual_time, shop

from slukh.dialog.base import (
    Used,
)
from slukh.dialog.claude import ClaudeConversation, ClaudeDialog, ClaudeRules
from slukh.talking.lines import EXCUSES, HANDOVERS
from slukh.tts.phrases import sentences
from slukh.types import (
    BargeIn,
    CallStarted,
)


class Events:
    """An answer of Claude's as its client gives it: the events of a stream, already there."""

    def __init__(self, text: str) -> None:
        message = {"id": "m", "type": "message", "role": "assistant", "model": "fake", "content": []}
        usage = {"input_tokens": 1, "output_tokens": 1}
        self._events: list[RawMessageStreamEvent] = [
            RawMessageStartEvent.model_validate(
                {"type": "message_start", "message": {**message, "usage": usage}}
            ),
            RawContentBlockStartEvent.model_validate(
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": text}}
            ),
            RawMessageDeltaEvent.model_validate(
                {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
            ),
        ]

    async def __anext__(self) -> RawMessageStreamEvent:
        if not self._events:
            raise StopAsyncIteration
        return self._events.pop(0)

    async def close(self) -> None:
        pass


class SlowToSumUp(ClaudeDialog):
    """A Claude who answers at once, and sums up until it is given up."""

    def __init__(self) -> None:
        rules = ClaudeRules(model="fake", longest_history=0, summary_seconds=1800.0)
        super().__init__(rules, api_key="none")
        self.talks: list[ClaudeConversation] = []
        self.given_up = 0

    async def ask(self, _messages: object, _through: object) -> AsyncStream[RawMessageStreamEvent]:
        return cast("AsyncStream[RawMessageStreamEvent]", Events("Звісно, є."))

    async def sum_up(self, _text: str, _through: object) -> AsyncStream[RawMessageStreamEvent]:
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up += 1
        raise AssertionError

    def converse(self, call: CallStarted, used: Used) -> ClaudeConversation:
        self.talks.append(super().converse(call, used))
        return self.talks[-1]


@in_virtual_time
async def test_an_answer_that_was_heard_whole_is_not_interrupted_while_the_call_is_told_in_short() -> None:
    claude = SlowToSumUp()
    own = shop()
    own.answering.dialog = claude
    own.come()
    for turn in range(8):
        await own.spoken()
        own.say(f"Запитання {turn}")
    await own.spoken()
    (talk,) = claude.talks
    texts = [message["content"][0]["text"] for message in talk.history.messages]
    assert texts[2:] == [text for turn in range(8) for text in (f"Запитання {turn}", "Звісно, є.")]
    assert not [event for _, event in own.events if isinstance(event, BargeIn)]
    assert claude.given_up == 0
    await own.talk.close()
    await claude.settled()
    assert claude.given_up == 1
    await claude.aclose()


class Stalls(Events):
    """An answer that stops after its first words, and whose connection stays open."""

    async def __anext__(self) -> RawMessageStreamEvent:
        if len(self._events) == 1:
            await asyncio.Event().wait()
        return await super().__anext__()


class Stalling(ClaudeDialog):
    """A Claude whose every answer does."""

    def __init__(self) -> None:
        super().__init__(ClaudeRules(model="fake"), api_key="none")

    async def ask(self, _messages: object, _through: object) -> AsyncStream[RawMessageStreamEvent]:
        return cast("AsyncStream[RawMessageStreamEvent]", Stalls("Звісно, є. Вам"))


@in_virtual_time
async def test_an_answer_of_claudes_that_stalls_in_the_middle_is_excused_and_then_handed_over() -> None:
    own = shop()
    own.answering.dialog = Stalling()
    own.come()
    await own.spoken()
    said = len(own.said())
    for _ in range(2):
        own.say("Шини")
        await own.spoken()
        waited = await own.spoken_to()
        assert waited < 8
        await own.spoken()
    await own.line.is_over.wait()
    assert own.said()[said:] == [
        "Звісно, є.", *sentences(EXCUSES["uk-UA"]), "Звісно, є.", *sentences(HANDOVERS["uk-UA"])
    ]  # fmt: skip
