"""One of Google's streams for a call: lent to utterance after utterance, and what ends it."""

import asyncio
import contextlib
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
import pytest

from slukh.errors import SttError, SttLimitError, SttStreamError
from slukh.stt.base import Hypothesis, StreamConfig, SttStream
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import GoogleLink
from slukh.stt.google_requests import GoogleModel
from slukh.stt.google_sharing import SharingRules
from slukh.testing.google import LocalGoogle
from slukh.testing.google_limits import GoogleLimits
from slukh.testing.google_recognition import GoogleScript
from slukh.testing.numbered import heard_words, numbered_speech, silence
from slukh.types import AudioChunk

CALL = StreamConfig(language_code="uk-UA", call_id="call")
TRAILING = silence(0.5).tobytes()  # what our endpointing waits for
SOON = GoogleScript(endpoint_seconds=0.6)
PATIENCE = 60.0  # longer than any machine keeps an answer of the local Google from us


@contextlib.asynccontextmanager
async def google_and_provider(
    *scripts: GoogleScript, rules: SharingRules | None = None, limits: GoogleLimits | None = None
) -> AsyncIterator[tuple[LocalGoogle, GoogleProvider]]:
    async with LocalGoogle(heard_words, scripts or [SOON] * 9, limits=limits) as google:
        provider = GoogleProvider(
            GoogleModel(project_id="shop"),
            GoogleLink(endpoint=google.endpoint, open_seconds=PATIENCE),
            sharing=rules or SharingRules(patience_seconds=PATIENCE),
        )
        await provider.start()
        yield google, provider
        await provider.aclose()


async def feed(stream: SttStream, *numbers: int, trailing: bytes = TRAILING) -> None:
    if not numbers:
        return
    for pcm, voiced in ((numbered_speech(numbers).tobytes(), True), (trailing, False)):
        for at in range(0, len(pcm), 320):
            await stream.send(AudioChunk(pcm=pcm[at : at + 320], voiced=voiced))


async def read(stream: SttStream) -> list[Hypothesis]:
    async with asyncio.timeout(PATIENCE):
        return [result async for result in stream if isinstance(result, Hypothesis)]


async def hear(provider: GoogleProvider, *numbers: int, config: StreamConfig = CALL) -> list[Hypothesis]:
    stream = await provider.open(config)
    try:
        await feed(stream, *numbers)
        await stream.end()
        return await read(stream)
    finally:
        await stream.close()


async def heard(provider: GoogleProvider, *numbers: int) -> str:
    return (await hear(provider, *numbers))[-1].text


async def heard_in_time(provider: GoogleProvider, *numbers: int) -> str:
    """As a router asks: an Attempt that met the end of its stream is followed by another."""
    try:
        return await heard(provider, *numbers)
    except SttLimitError:
        return await heard(provider, *numbers)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  # of another party, which tells nobody
            await asyncio.sleep(0.01)


async def test_the_utterances_of_a_call_go_through_one_stream() -> None:
    async with google_and_provider() as (google, provider):
        assert await heard(provider, 1, 2, 3) == "1 2 3"
        assert await heard(provider, 4) == "4"
        assert await heard(provider, 5, 6) == "5 6"
        [stream] = google.streams
        assert stream.half_closed_at is None


async def test_calls_do_not_share_and_what_belongs_to_no_call_has_its_own() -> None:
    async with google_and_provider() as (google, provider):
        for call_id in ("one", "two", "", ""):
            await hear(provider, 1, config=StreamConfig(language_code="uk-UA", call_id=call_id))
        assert len(google.streams) == 4


async def test_what_google_reports_as_billed_adds_up_over_the_utterances() -> None:
    async with google_and_provider() as (google, provider):
        reported = [(await hear(provider, n))[-1].reported_ms or 0 for n in range(5)]
        [stream] = google.streams
        assert sum(reported) // 1000 in (stream.billed_seconds - 1, stream.billed_seconds)


async def test_what_google_finalised_before_our_endpoint_is_the_final() -> None:
    async with google_and_provider(GoogleScript(endpoint_seconds=0.3)) as (google, provider):
        stream = await provider.open(CALL)
        await feed(stream, 1, 2)
        await until(lambda: bool(google.streams[0].seconds > 1.0))
        await stream.end()
        assert (await read(stream))[-1].text == "1 2"
        await stream.close()


async def test_pieces_that_google_finalised_are_joined_until_our_endpoint() -> None:
    async with google_and_provider() as (google, provider):
        stream = await provider.open(CALL)
        await feed(stream, 1, 2, trailing=silence(0.7).tobytes())
        await feed(stream, 3, 4)
        await stream.end()
        *interims, final = await read(stream)
        assert final.text == "1 2 3 4"
        assert any(interim.stable_length == len("1 2") for interim in interims)
        await stream.close()
        [record] = google.streams
        assert record.half_closed_at is None


async def test_where_google_does_not_finalise_the_stream_is_half_closed() -> None:
    scripts = [GoogleScript(endpoint_seconds=math.inf)] * 2
    async with google_and_provider(*scripts, rules=SharingRules(patience_seconds=0.2)) as (google, provider):
        assert await heard(provider, 1) == "1"
        assert await heard(provider, 2) == "2"
        assert [stream.half_closed_at is None for stream in google.streams] == [False, False]


async def test_silence_keeps_the_stream_in_a_pause() -> None:
    rules = SharingRules(patience_seconds=PATIENCE, keep_alive_seconds=0.1)
    async with google_and_provider(rules=rules, limits=GoogleLimits(idle_limit_seconds=2.0)) as (
        google,
        provider,
    ):
        assert await heard(provider, 1) == "1"
        sent = len(google.streams[0].messages)
        await until(lambda: len(google.streams[0].messages) > sent + 3)
        assert await heard(provider, 2) == "2"
        assert len(google.streams) == 1


async def test_a_stream_that_google_ends_in_a_pause_is_replaced() -> None:
    async with google_and_provider(limits=GoogleLimits(idle_limit_seconds=3.0)) as (google, provider):
        assert await heard(provider, 1) == "1"
        await until(lambda: google.streams[0].ended)  # we may not have been told yet
        assert await heard_in_time(provider, 2) == "2"
        assert len(google.streams) == 2


async def test_an_old_stream_is_ended_in_a_pause() -> None:
    rules = SharingRules(patience_seconds=PATIENCE, keep_alive_seconds=0.1, roll_seconds=0.1)
    async with google_and_provider(rules=rules) as (google, provider):
        assert await heard(provider, 1) == "1"
        await until(lambda: google.streams[0].ended)
        assert await heard(provider, 2) == "2"
        assert len(google.streams) == 2


async def test_an_old_stream_is_half_closed_at_the_end_of_an_utterance() -> None:
    async with google_and_provider(rules=SharingRules(roll_seconds=0.0)) as (google, provider):
        assert await heard(provider, 1) == "1"
        assert google.streams[0].half_closed_at is not None


async def test_a_call_that_is_over_ends_its_stream() -> None:
    rules = SharingRules(patience_seconds=PATIENCE, keep_alive_seconds=0.1, unused_seconds=0.2)
    async with google_and_provider(rules=rules) as (google, provider):
        assert await heard(provider, 1) == "1"
        await until(lambda: google.streams[0].ended)


async def test_an_utterance_that_outlives_its_stream_goes_to_a_new_one_whole() -> None:
    rules = SharingRules(patience_seconds=PATIENCE, cut_seconds=3.0)
    async with google_and_provider(rules=rules) as (google, provider):
        stream = await provider.open(CALL)
        reading = asyncio.create_task(read(stream))
        await feed(stream, 1, 2, 3, 4, 5, trailing=b"")
        await asyncio.sleep(rules.cut_seconds)
        await feed(stream, 6, 7, 8)
        await stream.end()
        *interims, final = await reading
        await stream.close()
        assert final.text == "1 2 3 4 5 6 7 8"
        stable = [interim.text[: interim.stable_length] for interim in interims]
        assert all(later.startswith(sooner) for sooner, later in itertools.pairwise(stable))
        assert len(google.streams) > 1


async def test_a_caller_is_not_kept_waiting_while_a_new_stream_is_told_what_was_said() -> None:
    rules = SharingRules(patience_seconds=PATIENCE, cut_seconds=2.0)
    loop = asyncio.get_running_loop()
    async with google_and_provider(rules=rules) as (google, provider):
        stream, opened_at = await provider.open(CALL), time.monotonic()
        reading = asyncio.create_task(read(stream))
        await feed(stream, *range(20), trailing=b"")
        await until(lambda: time.monotonic() - opened_at > rules.cut_seconds)
        began = loop.time()
        await feed(stream, 20, trailing=b"")
        assert loop.time() - began < 7.2 / 4 / 2  # 7.2 s, four times as fast
        await feed(stream, 21)
        await stream.end()
        *_, final = await reading
        await stream.close()
    assert final.text == " ".join(map(str, range(22)))
    assert len(google.streams) == 2


async def test_an_utterance_that_is_given_up_leaves_nothing_to_the_next() -> None:
    async with google_and_provider() as (google, provider):
        stream = await provider.open(CALL)
        await feed(stream, 1, 2, 3)
        await stream.close()
        assert await heard(provider, 4) == "4"
        assert len(google.streams) == 2


async def test_an_utterance_that_begins_before_the_last_final_has_its_own_stream() -> None:
    async with google_and_provider() as (google, provider):
        first, second = await provider.open(CALL), await provider.open(CALL)
        await feed(first, 1)
        await feed(second, 2)
        await first.end()
        await second.end()
        assert [(await read(stream))[-1].text for stream in (first, second)] == ["1", "2"]
        await first.close()
        await second.close()
        assert await heard(provider, 3) == "3"
        assert len(google.streams) == 2


async def test_other_wishes_are_another_stream() -> None:
    async with google_and_provider() as (google, provider):
        await hear(provider, 1)
        config = StreamConfig(language_code="uk-UA", call_id="call", phrase_hints=("шини",))
        assert (await hear(provider, 2, config=config))[-1].text == "2"
        assert len(google.streams) == 2


async def test_what_google_refuses_in_mid_stream_fails_the_utterance_only() -> None:
    broken = GoogleScript(
        endpoint_seconds=0.6, error=(grpc.StatusCode.UNAVAILABLE, "Gone."), error_after_seconds=2.0
    )
    async with google_and_provider(broken, SOON) as (google, provider):
        assert await heard(provider, 1) == "1"
        with pytest.raises(SttStreamError, match="Gone"):
            await hear(provider, *range(9))
        assert await heard(provider, 2) == "2"
        assert len(google.streams) == 2


async def test_an_utterance_without_audio_costs_no_stream() -> None:
    async with google_and_provider() as (google, provider):
        assert await heard(provider, 1) == "1"
        [final] = await hear(provider)
        assert final.text == ""
        assert await heard(provider, 2) == "2"
        assert len(google.streams) == 1


async def test_streams_fail_when_the_provider_is_given_back() -> None:
    async with google_and_provider(GoogleScript(endpoint_seconds=math.inf)) as (google, provider):
        stream = await provider.open(CALL)
        await feed(stream, 1)
        await stream.end()
        await until(lambda: len(google.streams) == 1)
        await provider.aclose()
        with pytest.raises(SttError):
            await read(stream)
        await stream.close()
