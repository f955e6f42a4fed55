"""When speaches has said everything: its protocol has no last message, and an answer that is as good."""

import json
from typing import Any

import pytest

from slukh.stt.whisper.address import address
from slukh.stt.whisper.conversation import Asked, Conversation, Heard
from slukh.stt.whisper.realtime import realtime_call
from slukh.types import AudioChunk

VOICE, QUIET = AudioChunk(pcm=bytes(16000)), AudioChunk(pcm=bytes(16000), voiced=False)  # a second each


def say(conversation: Conversation, kind: str, **fields: Any) -> list[Heard]:
    return conversation.receive(json.dumps({"type": kind, **fields}), 0.0)


def started(conversation: Conversation, item: str) -> None:
    say(conversation, "input_audio_buffer.speech_started", item_id=item)


def stopped(conversation: Conversation, item: str, after: float) -> None:
    say(conversation, "input_audio_buffer.speech_stopped", item_id=item, audio_end_ms=round(after * 1000))


def answered(conversation: Conversation) -> None:
    say(conversation, "session.updated", session={})


def told(conversation: Conversation) -> list[str]:
    """The kinds of what goes to the server now."""
    return [json.loads(message)["type"] for message in conversation.to_send()]


def committed(conversation: Conversation, item: str) -> None:
    say(conversation, "input_audio_buffer.committed", item_id=item)


def completed(conversation: Conversation, item: str, took: float | None, text: str = "Так.") -> list[Heard]:
    usage = {} if took is None else {"usage": {"type": "duration", "seconds": took}}
    kind = "conversation.item.input_audio_transcription.completed"
    return say(conversation, kind, item_id=item, transcript=text, **usage)


def partly(conversation: Conversation, item: str, text: str) -> list[Heard]:
    return say(conversation, "input_audio_buffer.partial_transcription", item_id=item, transcript=text)


def waits(conversation: Conversation) -> float | None:
    return conversation.look_in


def sent(*chunks: AudioChunk) -> Conversation:
    asked = Asked(name="whisper", key="", model="base", language="uk")
    conversation = realtime_call(address("realtime+ws://host"), asked).conversation
    say(conversation, "session.created", session={"turn_detection": {}})
    for chunk in chunks:
        conversation.audio(chunk)
    return conversation


@pytest.mark.parametrize(
    ("chunks", "took", "look_in"),
    [
        ((VOICE, VOICE), 2.5, 0.0),  # all of ours, and some of the silence behind it
        ((VOICE, VOICE), 1.9, 0.6),  # a word may be in the rest
        ((VOICE, QUIET), 1.4, 0.6),  # our detector found none in the rest; theirs may
        ((VOICE, QUIET), 0.9, 0.6),
        ((VOICE, VOICE), None, 0.6),  # another server of this shape
    ],
)
def test_it_is_waited_for_no_longer_than_a_further_turn_may_bring_a_word(
    chunks: tuple[AudioChunk, ...], took: float | None, look_in: float
) -> None:
    conversation = sent(*chunks)
    conversation.end()
    committed(conversation, "1")
    completed(conversation, "1", took)
    assert waits(conversation) == look_in


APPEND, UPDATE = "input_audio_buffer.append", "session.update"


def test_what_it_answers_behind_the_audio_says_that_no_turn_follows() -> None:
    conversation = sent(VOICE, QUIET)
    answered(conversation)
    conversation.end()
    assert told(conversation)[-2:] == [APPEND, UPDATE]
    started(conversation, "1")
    stopped(conversation, "1", 1.4)
    committed(conversation, "1")
    answered(conversation)
    assert waits(conversation) is None, "its turn is not transcribed yet"
    completed(conversation, "1", 1.4)
    assert waits(conversation) == 0.0
    assert conversation.tick() == [Heard(text="Так.", is_last=True)]


def test_when_it_heard_no_turn_it_is_over_as_soon_as_it_says_so() -> None:
    conversation = sent(QUIET)
    conversation.end()
    answered(conversation)
    assert waits(conversation) == 2.0, "that was the answer to the first one"
    answered(conversation)
    assert waits(conversation) == 0.0


def test_a_turn_that_it_does_not_close_gets_more_silence_and_not_for_ever() -> None:
    conversation = sent(VOICE)
    started(conversation, "1")
    answered(conversation)
    conversation.end()
    told(conversation)
    answered(conversation)
    assert told(conversation) == [APPEND, UPDATE]
    stopped(conversation, "1", 3.1)
    answered(conversation)
    assert told(conversation) == []
    stubborn = sent(VOICE)
    started(stubborn, "1")
    answered(stubborn)
    stubborn.end()
    told(stubborn)
    for _ in range(20):
        answered(stubborn)
    assert told(stubborn) == [APPEND, UPDATE] * 6


def test_a_turn_that_was_closed_twice_is_over_when_the_first_time_had_all_of_ours() -> None:
    for first, look_in in ((2.0, 0.0), (1.4, 0.6)):
        conversation = sent(VOICE, VOICE)
        answered(conversation)
        conversation.end()
        started(conversation, "1")
        for after in (first, 3.0):
            stopped(conversation, "1", after)
            committed(conversation, "1")
        answered(conversation)
        completed(conversation, "1", 3.0)
        assert waits(conversation) == look_in


def test_a_turn_that_was_over_before_the_utterance_counts() -> None:
    conversation = sent(VOICE, QUIET)
    committed(conversation, "1")
    completed(conversation, "1", 1.4)
    assert waits(conversation) is None
    conversation.end()
    assert waits(conversation) == 0.6
    started(conversation, "2")
    assert waits(conversation) is None


def test_turns_that_are_open_or_were_closed_twice_are_waited_for() -> None:
    conversation = sent(VOICE, VOICE)
    conversation.end()
    committed(conversation, "1")
    committed(conversation, "1")
    started(conversation, "2")
    completed(conversation, "1", 1.4)
    assert waits(conversation) is None
    completed(conversation, "2", 1.6, "Дякую.")
    assert waits(conversation) == 0.6
    completed(conversation, "1", 1.4, "Так, так.")
    assert waits(conversation) == 0.0
    assert conversation.tick() == [Heard(text="Так, так. Дякую.", is_last=True)]


def test_what_it_has_of_an_open_turn_is_an_interim() -> None:
    conversation = sent(VOICE)
    started(conversation, "1")
    assert partly(conversation, "1", "Так") == [Heard(text="Так")]
    assert partly(conversation, "1", "Так, бу") == [Heard(text="Так, бу")]
    assert completed(conversation, "1", 1.5, "Так, будь ласка.") == [Heard(text="Так, будь ласка.")]
    assert partly(conversation, "1", "Так") == []
