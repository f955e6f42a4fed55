"""A gateway on loopback: real TCP, AudioSocket as Asterisk speaks it, fakes that hear numbered audio."""

import asyncio
import logging
from dataclasses import replace
from uuid import uuid4

import pytest
from tests.integration.house import House, house, speech

from slukh.errors import SttStreamError
from slukh.routing.upstreams import Limits, Upstreams
from slukh.stt.fake import FakeProvider, Script
from slukh.telephony.audiosocket import AUDIO_8K, encode_frame, encode_id
from slukh.telephony.base import MediaReceived, PeerHungUp
from slukh.testing.numbered import heard_words, numbered_speech, numbered_word, silence
from slukh.testing.parts import fake_parts
from slukh.types import AudioGap, CallStarted, Dtmf, RecognisersDown, SpeechEnded, Transcript


async def test_a_call_is_heard_to_its_last_word_even_when_a_sink_fails() -> None:
    call_id = str(uuid4())
    async with house() as gateway, gateway.caller(call_id) as caller:
        await caller.say(speech([1, 2, 3], [4, 5]))
        await caller.say([numbered_speech([6, 7])])  # hangs up in mid-utterance
        await caller.hang_up()
        assert (await gateway.ended()).reason == "hangup"
        assert gateway.events.finals(call_id) == [(1, "1 2 3"), (2, "4 5"), (3, "6 7")]
        record = gateway.record(call_id)
        assert record.is_done
        assert record.call.announced is False


async def test_an_announced_call_keeps_what_was_announced() -> None:
    call = CallStarted(call_id=str(uuid4()), language_code="ru-RU", trunk="kyivstar")
    async with house(require_announced=True) as gateway:
        gateway.book.announce(call)
        async with gateway.caller(call.call_id) as caller:
            await caller.say(speech([1]))
            await caller.hang_up()
            await gateway.ended()
        finals = [e for e in gateway.events.of(Transcript) if isinstance(e, Transcript) and e.is_final]
        assert [final.language_code for final in finals] == ["ru-RU"]


async def test_an_unannounced_call_is_refused_when_announcing_is_required() -> None:
    async with house(require_announced=True) as gateway, gateway.caller() as caller:
        await caller.until_closed()
        assert gateway.refused == ["unannounced"]


async def test_a_second_connection_for_a_live_call_is_refused_and_the_first_goes_on() -> None:
    call_id = str(uuid4())
    async with house() as gateway, gateway.caller(call_id) as caller:
        await gateway.until_live()
        async with gateway.caller(call_id) as intruder:
            await intruder.until_closed()
        assert gateway.refused == ["duplicate"]
        await caller.say(speech([1, 2]))
        await caller.hang_up()
        await gateway.ended()
        assert gateway.events.finals(call_id) == [(1, "1 2")]


async def test_a_full_gateway_refuses_the_next_call_and_leaves_the_others_alone() -> None:
    async with house(max_calls=1) as gateway, gateway.caller() as first:
        await gateway.until_live()
        async with gateway.caller() as second:
            await second.until_closed()
        assert gateway.refused == ["full"]
        await first.say(speech([1]))
        await first.hang_up()
        assert (await gateway.ended()).reason == "hangup"


async def test_a_call_that_comes_back_goes_on_as_its_next_leg() -> None:
    call_id = str(uuid4())
    async with house() as gateway:
        async with gateway.caller(call_id) as caller:
            await caller.say(speech([1, 2]))
            # A reset throws away what was not read yet.
            await gateway.events.until(lambda: gateway.events.finals(call_id))
            caller.reset()
        assert (await gateway.ended()).reason == "detached"
        assert not gateway.record(call_id).is_done
        async with gateway.caller(call_id) as again:
            await again.say(speech([3, 4]))
            await again.hang_up()
        assert (await gateway.ended()).reason == "hangup"
        assert gateway.events.finals(call_id) == [(1, "1 2"), (2, "3 4")]
        assert [e.leg for e in gateway.events.seen if isinstance(e.event, CallStarted)] == [1, 2]
        starts = [t.start for t in gateway.events.of(Transcript) if isinstance(t, Transcript)]
        assert starts == sorted(starts)
        assert gateway.record(call_id).is_done


async def test_a_call_taken_over_from_another_gateway_counts_its_own_legs() -> None:
    call = CallStarted(call_id=str(uuid4()), leg=101, language_code="uk-UA")
    async with house(require_announced=True) as gateway:
        gateway.book.announce(call)
        for word in (1, 2):
            async with gateway.caller(call.call_id) as caller:
                await caller.say(speech([word]))
                await caller.hang_up()
            await gateway.ended()
        assert gateway.events.finals(call.call_id) == [(1, "1"), (2, "2")]
        assert [e.leg for e in gateway.events.seen if isinstance(e.event, CallStarted)] == [101, 102]


async def test_a_broken_peer_is_cut_off_with_a_reason_and_disturbs_nobody() -> None:
    async with house() as gateway, gateway.caller() as good:
        await gateway.until_live()
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        assert len(gateway.refused) == 1
        await good.say(speech([8, 9]))
        await good.hang_up()
        await gateway.ended()
        assert [text for _, text in gateway.events.finals(gateway.events.seen[0].call_id)] == ["8 9"]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (encode_id("8d1c0b9e-6f0a-4c57-9f5e-2a4f6f1f6c11"), "second_id"),
        (encode_frame(AUDIO_8K, b"odd"), "malformed"),
        (encode_frame(0x03, b"12"), "malformed"),
        (encode_frame(0xFF, b"\x01"), "peer_error"),
    ],
)
async def test_a_call_that_breaks_the_protocol_is_cut_off_with_a_reason_and_may_come_back(
    frame: bytes, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    call_id = str(uuid4())
    async with house() as gateway:
        async with gateway.caller(call_id) as caller:
            await caller.say([silence(0.1)])
            await gateway.until_live()
            caller.writer.write(frame)
            await caller.until_closed()
        assert (await gateway.ended()).reason == "error"
        async with gateway.caller(call_id) as again:
            await again.hang_up()
        assert (await gateway.ended()).reason == "hangup"
        assert gateway.refused == [reason]
    (told,) = (record for record in caplog.records if record.message == "connection_cut_off")
    assert (vars(told)["call_id"], vars(told)["reason"]) == (call_id, reason)


async def test_a_recogniser_that_dies_in_mid_call_ends_no_call_and_loses_no_word() -> None:
    dies = Script(error=SttStreamError("fake", "child died"), error_after_seconds=0.6)
    call_id = str(uuid4())
    async with house([dies, dies]) as gateway, gateway.caller(call_id) as caller:
        await caller.say(speech([1, 2, 3], [4, 5]))
        await caller.hang_up()
        await gateway.ended()
        assert [text for _, text in gateway.events.finals(call_id)] == ["1 2 3", "4 5"]


async def test_a_digit_is_an_event_and_stands_in_no_log_and_no_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    call_id = str(uuid4())
    async with house() as gateway, gateway.caller(call_id) as caller:
        await caller.say([silence(0.2)])
        for digit in "9173":
            caller.press(digit)
        await caller.hang_up()
        await gateway.ended()
        digits = [e.digit for e in gateway.events.of(Dtmf) if isinstance(e, Dtmf)]
        assert digits == list("9173")
        shown = [event for _, event in gateway.record(call_id).events if event["event"] == "dtmf"]
        assert [set(event) for event in shown] == [{"event", "position"}] * 4
        assert not any("digit='" in line for line in caplog.messages)


async def test_draining_lets_calls_finish_and_refuses_new_ones() -> None:
    call_id = str(uuid4())
    async with house() as gateway, gateway.caller(call_id) as caller:
        await caller.say(speech([1]))
        await gateway.until_live()
        draining = asyncio.create_task(gateway.gateway.drain(5))
        await asyncio.sleep(0)
        async with gateway.caller() as late:
            await late.until_closed()
        assert gateway.refused == ["draining"]
        await caller.say(speech([2]))
        await caller.hang_up()
        await draining
        assert [text for _, text in gateway.events.finals(call_id)] == ["1", "2"]


async def test_a_drain_that_takes_too_long_gives_calls_back_to_the_dial_plan() -> None:
    call_id = str(uuid4())
    async with house() as gateway, gateway.caller(call_id) as caller:
        await caller.say([silence(0.3), numbered_speech([1, 2])])
        await gateway.events.until(lambda: gateway.events.of(Transcript))
        await gateway.gateway.drain(0.05)
        assert (await caller.until_closed()).endswith(b"\x00\x00\x00")  # "terminate": the dial plan goes on
        assert (await gateway.ended()).reason == "drained"
        assert gateway.events.finals(call_id) == [(1, "1 2")]


async def test_who_is_in_a_hurry_gives_calls_back_at_once() -> None:
    async with house() as gateway, gateway.caller() as caller:
        await gateway.until_live()
        hurry = asyncio.Event()
        draining = asyncio.create_task(gateway.gateway.drain(600, hurry))
        await caller.say(speech([1]))  # a call that is drained goes on
        await gateway.events.until(lambda: gateway.events.of(SpeechEnded))
        hurry.set()
        assert (await caller.until_closed()).endswith(b"\x00\x00\x00")
        assert (await gateway.ended()).reason == "drained"
        await draining


DOWN = [Script(error=SttStreamError("fake", "down"))] * 4


async def test_when_nobody_hears_a_caller_the_call_goes_on() -> None:
    async with house(DOWN) as gateway, gateway.caller() as caller:
        await caller.say(speech([1, 2]))
        await gateway.events.until(lambda: gateway.events.of(RecognisersDown))
        await caller.hang_up()
        assert (await gateway.ended()).reason == "hangup"


async def test_when_nobody_hears_a_caller_the_dial_plan_may_go_on() -> None:
    async with house(DOWN, when_down="hangup") as gateway, gateway.caller() as caller:
        await caller.say(speech([1, 2]))
        assert (await gateway.ended()).reason == "gateway"
        assert isinstance((await caller.hears(1000))[-1], PeerHungUp)


async def test_when_nobody_hears_a_caller_a_recording_may_be_played() -> None:
    prompt = numbered_word(42).tobytes()
    async with house(DOWN, when_down=prompt) as gateway, gateway.caller() as caller:
        await caller.say(speech([1, 2]))
        await gateway.events.until(lambda: gateway.events.of(RecognisersDown))
        caller.leave()
        await gateway.ended()
        heard = b"".join(e.linear16 for e in await caller.hears(1000) if isinstance(e, MediaReceived))
        assert prompt in heard


async def test_a_full_recogniser_gives_new_calls_to_its_backup_and_refuses_them_when_that_is_full_too() -> (
    None
):
    fakes = {name: FakeProvider(heard_words, name=name) for name in ("whisper", "google")}
    limits = Limits(capacity={"whisper": 1, "google": 1})
    parts = replace(fake_parts(), upstreams=Upstreams(fakes, limits=limits))
    async with house(parts=parts) as gateway, gateway.caller(), gateway.caller(), gateway.caller() as third:
        await third.until_closed()
        assert gateway.refused == ["full"]
        assert gateway.gateway.refuse_reason() == "full"
        began = [(e.provider, e.assigned_arm) for e in gateway.events.seen]
        assert began == [("whisper", "whisper"), ("google", "whisper")]


async def test_a_call_that_comes_back_keeps_its_recognisers() -> None:
    call_id = str(uuid4())
    async with house() as gateway:
        async with gateway.caller(call_id) as caller:
            await caller.say([silence(0.1)])
            await gateway.until_live()
            assignment = gateway.record(call_id).assignment
            await caller.hang_up()
        await gateway.ended()
        async with gateway.caller(call_id) as caller:
            await caller.say([silence(0.1)])
            await gateway.until_live()
            assert gateway.record(call_id).assignment == assignment


async def test_twenty_calls_at_once_are_heard_each_for_itself() -> None:
    async def one(gateway: House, number: int) -> tuple[list[str], list[str]]:
        call_id = str(uuid4())
        async with gateway.caller(call_id) as caller:
            await caller.say(speech([number, number + 1], [number + 2]))
            await caller.hang_up()
            await gateway.events.until(lambda: gateway.record(call_id).is_done)
        heard = [text for _, text in gateway.events.finals(call_id)]
        return heard, [f"{number} {number + 1}", f"{number + 2}"]

    async with house(max_calls=20) as gateway:
        for heard, said in await asyncio.gather(*(one(gateway, n) for n in range(20))):
            assert heard == said
        assert not gateway.events.of(AudioGap)
