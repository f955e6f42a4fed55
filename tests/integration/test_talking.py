"""Who speaks when in a whole call over AudioSocket: greeting, turns, interruptions, echo, silence."""

import asyncio
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from tests.integration.talking_shop import AGAIN, BYE, HELLO, LONG, SCRIPT, SIZE, framed, shop

from slukh.dialog.script import Script as DialogScript
from slukh.dialog.scripted import ScriptedDialog
from slukh.errors import SttStreamError
from slukh.handset import LineEcho, handset
from slukh.stt.fake import Script
from slukh.testing.numbered import numbered_speech, silence
from slukh.tts.fake import fake_speech
from slukh.types import (
    BargeIn,
    CallEnded,
    PhraseSpoken,
    TurnTimed,
)


async def test_a_caller_is_greeted_answered_and_let_go_sample_by_sample() -> None:
    async with shop() as own:
        assert framed(HELLO) in await own.phone.answered(quiet_seconds=0.4)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.4)
        await own.phone.say(numbered_speech([33]))
        assert framed(BYE) in await own.phone.answered(quiet_seconds=0.4)
        assert own.phone.was_hung_up
        await own.events.ended.wait()
    assert own.events.said() == [(HELLO, "sent"), (SIZE, "sent"), (BYE, "sent")]
    (ended,) = own.events.of(CallEnded)
    assert isinstance(ended, CallEnded)
    assert ended.reason == "gateway"


async def test_every_turn_is_timed_and_every_phrase_is_on_the_bill_once() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        await own.phone.answered(quiet_seconds=0.2)
    (turn,) = own.events.of(TurnTimed)
    assert isinstance(turn, TurnTimed)
    assert 0.5 <= turn.endpoint_seconds < 0.7
    assert turn.final_seconds + turn.first_text_seconds + turn.first_audio_seconds < 0.2
    rows = [row for row in own.events.usage() if row.component == "tts"]
    assert [(row.sequence, row.unit, row.quantity, row.outcome) for row in rows] == [
        (1, "characters", len(HELLO), "sent"),
        (2, "characters", len(SIZE), "sent"),
    ]


async def test_frames_leave_every_twenty_milliseconds_and_never_in_a_burst() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        times = [at for at, _ in own.phone.arrivals][: len(framed(HELLO)) // 320]
    assert np.diff(times) == pytest.approx(0.02, abs=0.001)


async def test_a_caller_who_speaks_stops_us_within_200_ms_and_is_answered() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(np.concatenate([silence(0.4), numbered_speech([33])]))
        assert framed(BYE) in await own.phone.answered(quiet_seconds=0.3)
        await own.events.ended.wait()
    (barge_in,) = own.events.of(BargeIn)
    assert isinstance(barge_in, BargeIn)
    assert barge_in.reaction_seconds <= 0.2
    spoken_phrases = {e.text: e for e in own.events.of(PhraseSpoken) if isinstance(e, PhraseSpoken)}
    cut = spoken_phrases[LONG]
    assert cut.outcome == "interrupted"
    assert 400 < cut.played_ms < 900
    assert cut.audio_ms == len(fake_speech(LONG)) // 16
    tts = [row for row in own.events.usage() if row.component == "tts"]
    assert [row.quantity for row in tts if row.outcome == "interrupted"] == [len(LONG)]


async def test_a_caller_who_speaks_before_the_first_word_is_over_has_heard_nothing_of_it() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(numbered_speech([44]))
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.3)
    assert [one for one in own.events.said() if one[0] == LONG] == [(LONG, "interrupted"), (LONG, "cached")]


async def test_the_echo_of_our_own_voice_neither_stops_us_nor_is_answered() -> None:
    async with shop(echo=LineEcho(delay_ms=80, loss_db=12)) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.8)
    assert own.events.of(BargeIn) == []
    assert own.events.said()[:2] == [(HELLO, "sent"), (LONG, "sent")]


async def test_a_caller_is_heard_over_the_echo_of_our_own_voice() -> None:
    async with shop(echo=LineEcho(delay_ms=80, loss_db=12)) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(np.concatenate([silence(0.4), numbered_speech([33])]))
        await own.events.ended.wait()
    (barge_in,) = own.events.of(BargeIn)
    assert isinstance(barge_in, BargeIn)
    assert own.events.said()[-1][0] == BYE


async def test_a_noise_that_interrupted_us_lets_us_begin_again() -> None:
    """120 ms of a tone are a voice to the detector and no word to the recogniser."""
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        await own.phone.say(numbered_speech([44])[:1400])
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.6)
    assert len(own.events.of(BargeIn)) == 1
    assert [(text, outcome) for text, outcome in own.events.said() if text == LONG] == [
        (LONG, "interrupted"),
        (LONG, "cached"),
    ]


async def test_a_key_that_means_nothing_does_not_cost_the_caller_the_answer() -> None:
    async with shop() as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([22]))
        await own.phone.speaks()
        own.phone.press("5")
        assert framed(LONG) in await own.phone.answered(quiet_seconds=0.4)
    assert own.events.said()[-1] == (LONG, "cached")


async def test_a_caller_whom_no_recogniser_heard_is_asked_again() -> None:
    down = [Script(error=SttStreamError("fake", "down"))] * 4
    async with shop(ears=down) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        await own.phone.answered(quiet_seconds=0.3)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.2)
    assert own.events.said()[1][0] == "Перепрошую, я не розчула."


async def test_a_caller_whom_no_recogniser_heard_hears_the_recording_that_is_set_for_it() -> None:
    down, recording = [Script(error=SttStreamError("fake", "down"))] * 4, framed("запис")
    async with shop(ears=down, when_down=recording) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([11]))
        assert recording in await own.phone.answered(quiet_seconds=0.3)
        await own.phone.say(numbered_speech([11]))
        assert framed(SIZE) in await own.phone.answered(quiet_seconds=0.2)
    assert own.events.said() == [(HELLO, "sent"), (SIZE, "sent")]


async def test_a_caller_who_speaks_over_the_hand_over_is_handed_over() -> None:
    script = SCRIPT | {"states": SCRIPT["states"] | {"bye": {"say": {"uk-UA": LONG}, "leave": "handover"}}}  # type: ignore[operator]
    async with shop(dialog=ScriptedDialog(DialogScript.model_validate(script))) as own:
        await own.phone.answered(quiet_seconds=0.2)
        await own.phone.say(numbered_speech([33]))
        await own.phone.speaks()
        await own.phone.say(numbered_speech([11]))
        async with asyncio.timeout(2):
            await own.events.ended.wait()
    assert own.events.said()[-1] == (LONG, "interrupted")


def says_why(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the log says came last before we hung up."""
    return [record.__dict__["after"] for record in caplog.records if record.message == "talk_over"]


async def test_a_silent_caller_is_asked_twice_and_let_go(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with shop(silence_seconds=0.3) as own:
        await own.events.ended.wait()
        heard = bytes(own.phone.heard)
    assert [text for text, _ in own.events.said()] == [HELLO, AGAIN, AGAIN, BYE]
    assert [outcome for _, outcome in own.events.said()] == ["sent", "sent", "cached", "sent"]
    assert heard.count(framed(AGAIN)) == 2
    assert says_why(caplog) == ["caller_silent"]


async def test_a_caller_who_comes_back_is_asked_the_last_question_and_not_greeted() -> None:
    async with shop() as own:
        call_id = str(uuid4())
        async with handset("127.0.0.1", own.port, call_id) as phone:
            await phone.answered(quiet_seconds=0.3)
            await phone.say(numbered_speech([11]))
            await phone.answered(quiet_seconds=0.3)
        async with handset("127.0.0.1", own.port, call_id) as phone:
            again = await phone.answered(quiet_seconds=0.4)
            await phone.say(numbered_speech([33]))
            assert framed(BYE) in await phone.answered(quiet_seconds=0.3)
    assert framed(SIZE) in again
    assert framed(HELLO) not in again
    said = [e for e in own.events.seen if isinstance(e.event, PhraseSpoken) and e.call_id == call_id]
    assert [(e.leg, e.event.text) for e in said if isinstance(e.event, PhraseSpoken)] == [
        (1, HELLO), (1, SIZE), (2, SIZE), (2, BYE),
    ]  # fmt: skip


async def test_a_call_that_lasts_too_long_ends_with_a_sentence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with shop(longest_seconds=1.5) as own:
        await own.events.ended.wait()
    assert says_why(caplog) == ["longest_call"]
    assert own.events.said()[-1][0].endswith("До побачення.")


def test_the_example_dialogue_is_read() -> None:
    from slukh.dialog.script import read_script

    assert read_script(Path(__file__).parents[2] / "examples" / "dialog" / "tyre-shop.yaml").languages
