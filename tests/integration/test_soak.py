"""Calls leave nothing behind, and a Whisper child that is killed in mid-decode takes no call along."""

import asyncio
import gc
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from tests.patience import HUNG_SECONDS

from slukh.audio import samples_from_linear16
from slukh.errors import WeightsError
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.health import stored_clips
from slukh.routing.upstreams import Upstreams
from slukh.stt.fake import FakeProvider
from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.testing.calls import Caller
from slukh.testing.gateways import Calls, LoopbackGateway, loopback_gateway
from slukh.testing.numbered import heard_words, numbered_speech, silence
from slukh.testing.parts import fake_parts
from slukh.testing.sabotage import SabotagedDecoder
from slukh.weights import find_whisper, weights_dir

WARM_UP, CALLS, KILLS = 25, 60, 3  # the book keeps the records of 15 calls


async def call(
    gateway: LoopbackGateway, sink: Calls, speech: Sequence[NDArray[np.int16]], *, wait_for: int = 0
) -> None:
    """One call; its caller waits for so many finals before he hangs up, and is still on the line then."""
    call_id = str(uuid4())
    async with Caller(gateway.port, call_id) as caller:
        await caller.say(speech)
        if wait_for:
            await sink.until(call_id, wait_for)
            record = gateway.book.get(call_id)
            assert record is not None
            assert record.state == "live"
        await caller.hang_up()


def whispers() -> list[psutil.Process]:
    """Whisper children of this process, among those of other tests."""
    return [child for child in psutil.Process().children() if "slukh.stt.whisper.worker" in child.cmdline()]


Held = dict[str, int]


async def left_behind(gateway: LoopbackGateway, sink: Calls, calls: int, before: Held | None = None) -> Held:
    """What the process holds once so many calls are over; as soon as it is no more than before, if ever."""
    await sink.until_over(calls)
    await asyncio.sleep(1.2)  # a closed connection may linger for a second
    for _ in range(600):  # on a busy machine a thread, or a child's end, may take longer
        gc.collect()
        held = held_by(gateway)
        if before is None or not more(held, before):
            break
        await asyncio.sleep(0.1)
    return held


def more(held: Held, before: Held) -> list[str]:
    """Of what there is more than before. Threads of tests before this one may have ended meanwhile."""
    return [name for name in held if held[name] > before[name]]


def held_by(gateway: LoopbackGateway) -> Held:
    return {
        "files": psutil.Process().num_fds(),
        "tasks": len(asyncio.all_tasks()),
        "threads": psutil.Process().num_threads(),
        "records": len(gateway.book),
        "series": gateway.series(),
    }


async def test_sixty_calls_leave_no_file_task_thread_record_object_or_series_behind(tmp_path: Path) -> None:
    sink, fake = Calls(), FakeProvider(heard_words)
    speech = [silence(0.3), numbered_speech([1, 2]), silence(0.7), numbered_speech([3]), silence(0.7)]
    parts = replace(fake_parts(), upstreams=Upstreams({"fake": fake}))

    def minute() -> float:
        return 60.0 * sink.outcomes.total()

    async with loopback_gateway(parts, tmp_path, [sink], now=minute) as gateway:
        for number in range(WARM_UP + CALLS):
            if number == WARM_UP:
                before = await left_behind(gateway, sink, number)
                objects = len(gc.get_objects())
            await call(gateway, sink, speech)
            fake.heard.clear()
        assert more(await left_behind(gateway, sink, WARM_UP + CALLS, before), before) == []
        assert len(gc.get_objects()) < objects + CALLS, "something remembers every call"
    assert sink.outcomes == {("hangup", ("1 2", "3")): WARM_UP + CALLS}
    assert sink.finals == {}


async def test_a_child_killed_three_times_over_one_utterance_ends_no_call_and_loses_no_word(
    tmp_path: Path,
) -> None:
    try:
        model = find_whisper(Path(os.environ.get("SLUKH_WEIGHTS_DIR", weights_dir())), "base")
    except WeightsError as error:
        pytest.skip(f"LOCAL WHISPER IS NOT TESTED: {error}")
    clip, doomed = stored_clips()[0], [0.05] * KILLS
    speech = [silence(0.5), samples_from_linear16(clip.pcm), silence(0.7)]

    def when(request: DecodeRequest) -> float | None:
        is_wanted = request.kind != "interim" and sink.outcomes
        return doomed.pop() if is_wanted and doomed else None

    sink, decoder = Calls(), SabotagedDecoder(LocalDecoder(model), when)
    patient = AttemptPolicy(final_seconds=HUNG_SECONDS, give_up_seconds=HUNG_SECONDS)
    parts = fake_parts(policy=patient, language_code=clip.language_code)
    parts = replace(parts, upstreams=Upstreams({"whisper": WhisperProvider(decoder, model="base")}))
    async with asyncio.timeout(HUNG_SECONDS), loopback_gateway(parts, tmp_path, [sink]) as gateway:
        await call(gateway, sink, speech)
        before = await left_behind(gateway, sink, 1)
        ((_, said),) = sink.outcomes
        assert any(said)
        await call(gateway, sink, speech, wait_for=len(said))
        expected = before | {"records": 2}
        assert more(await left_behind(gateway, sink, 2, expected), expected) == []
        assert decoder.kills.total() == KILLS
        assert sink.outcomes == {("hangup", said): 2}
        assert sink.salvaged == 0
        assert len(whispers()) == 1
    assert whispers() == []
