"""Google's recogniser against a local Google: what is asked, what is heard, and what every failure is."""

import asyncio
import contextlib
import itertools
import math
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
import pytest
from google.api_core.exceptions import GoogleAPICallError

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttLimitError,
    SttOverloadedError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.ports import reserved_port
from slukh.stt.base import Hypothesis, Result, StreamConfig, SttStream
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import GoogleLink
from slukh.stt.google_errors import MASKED
from slukh.stt.google_requests import GoogleModel
from slukh.stt.google_wire import CHUNK_BYTES
from slukh.testing.google import LocalGoogle
from slukh.testing.google_limits import MAX_AUDIO_BYTES, GoogleLimits
from slukh.testing.google_recognition import GoogleScript
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.types import AudioChunk

UK = StreamConfig(language_code="uk-UA")
SPEECH = numbered_speech([1, 2, 3, 4, 5, 6]).tobytes()  # 2.16 s
HEARD = "1 2 3 4 5 6"
AS_IT_COMES = math.inf
OPEN_SECONDS = 20.0  # gRPC connects in threads of its own, for which a busy machine may have no time
Code = grpc.StatusCode


@contextlib.asynccontextmanager
async def google_and_provider(
    *scripts: GoogleScript,
    limits: GoogleLimits | None = None,
    model: GoogleModel | None = None,
    metadata: Sequence[tuple[str, str]] = (),
    max_seconds: float = 60.0,
    final_seconds: float = 10.0,
    fastest: float = 4.0,
    port: int = 0,
) -> AsyncIterator[tuple[LocalGoogle, GoogleProvider]]:
    async with LocalGoogle(heard_words, scripts, limits=limits, port=port) as google:
        provider = GoogleProvider(
            model or GoogleModel(project_id="shop"),
            GoogleLink(endpoint=google.endpoint, metadata=tuple(metadata), open_seconds=OPEN_SECONDS),
            max_seconds=max_seconds,
            final_seconds=final_seconds,
            fastest=fastest,
        )
        await provider.start()
        yield google, provider
        await provider.aclose()


async def feed(stream: SttStream, pcm: bytes, *, pause: float = 0.0) -> None:
    for at in range(0, len(pcm), 320):
        await stream.send(AudioChunk(pcm=pcm[at : at + 320]))
        if pause and at % CHUNK_BYTES == 0:
            await asyncio.sleep(pause)
    await stream.end()


async def read(stream: SttStream) -> list[Result]:
    return [result async for result in stream]


async def hear(
    provider: GoogleProvider, pcm: bytes = SPEECH, config: StreamConfig = UK, *, pause: float = 0.0
) -> list[Hypothesis]:
    """One utterance as the router does it: fed and read side by side, whoever notices a failure first."""
    stream = await provider.open(config)
    results: list[Result] = []
    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            feeding = tasks.create_task(feed(stream, pcm, pause=pause))
            results += [result async for result in stream]
            feeding.cancel()
    except* SttError as group:
        raise group.exceptions[0] from group.exceptions[0].__cause__
    finally:
        await stream.close()
    return [result for result in results if isinstance(result, Hypothesis)]


# What is asked and heard


async def test_an_utterance_is_heard_whole_and_billed_by_the_second() -> None:
    async with google_and_provider() as (google, provider):
        *interims, final = await hear(provider)
    assert final.text == HEARD
    assert final.confidence == pytest.approx(0.95)
    assert final.language_code == "uk-UA"
    assert final.reported_ms == 3000
    assert interims
    assert all(HEARD.startswith(interim.text) for interim in interims)
    assert [round(interim.stability or 0.0, 2) for interim in interims] == [0.01] * (len(interims) - 1) + [
        0.0
    ]
    assert interims[-1].stable_length == len(HEARD)  # what is finalised is safe even if Google never closes
    [stream] = google.streams
    assert stream.recognizer == "projects/shop/locations/eu/recognizers/_"
    assert bytes(stream.audio) == SPEECH
    assert set(stream.messages[:-1]) == {CHUNK_BYTES}
    assert 0 < stream.messages[-1] <= CHUNK_BYTES < MAX_AUDIO_BYTES


async def test_word_timings_are_asked_for_and_count_from_the_first_sample() -> None:
    model = GoogleModel(project_id="shop", words=True)
    async with google_and_provider(GoogleScript(segment_words=4), model=model) as (_, provider):
        final = (await hear(provider))[-1]
    assert " ".join(word.text for word in final.words) == final.text == HEARD
    assert final.words[0].start == 0
    assert final.words[-1].end == len(SPEECH) // 2
    assert all(word.end == later.start for word, later in itertools.pairwise(final.words))


async def test_a_google_that_changes_its_mind_is_not_silent() -> None:
    script = GoogleScript(stabilities=(0.9, 0.9))  # and hears another first word every time

    def otherwise(pcm: bytes) -> list[str]:
        return [str(len(pcm)), *heard_words(pcm)]

    async with LocalGoogle(otherwise, [script]) as google:
        provider = GoogleProvider(
            GoogleModel(project_id="p"), GoogleLink(endpoint=google.endpoint, open_seconds=OPEN_SECONDS)
        )
        await provider.start()
        *interims, final = await hear(provider)
        await provider.aclose()
    assert len(interims) > 1
    assert len({interim.text for interim in interims}) == 1
    assert final.text.endswith(HEARD)


async def test_pieces_finalised_in_mid_utterance_are_joined() -> None:
    async with google_and_provider(GoogleScript(segment_words=2)) as (_, provider):
        *interims, final = await hear(provider)
    assert final.text == HEARD
    assert any(interim.stable_length == len("1 2 3 4") for interim in interims)


async def test_the_language_google_heard_comes_back_and_unset_confidence_is_none() -> None:
    config = StreamConfig(language_code="uk-UA", alternative_language_codes=("ru-RU",))
    script = GoogleScript(language_code="ru-ru", confidence=0.0)
    async with google_and_provider(script) as (google, provider):
        final = (await hear(provider, config=config))[-1]
    assert (final.language_code, final.confidence) == ("ru-RU", None)
    assert list(google.streams[0].config.config.language_codes) == ["uk-UA", "ru-RU"]


async def test_a_final_said_twice_is_one_final() -> None:
    async with google_and_provider(GoogleScript(finals=2)) as (_, provider):
        results = await hear(provider)
    assert [result.text for result in results if result.is_final] == [HEARD]


async def test_an_utterance_without_audio_is_not_asked_about() -> None:
    async with google_and_provider() as (google, provider):
        [final] = await hear(provider, b"")
        assert (final.text, final.is_final, final.reported_ms) == ("", True, None)
        assert not any(stream.messages for stream in google.streams)
        assert (await hear(provider))[-1].text == HEARD


async def test_a_local_google_may_hear_with_a_real_recogniser() -> None:
    async def slowly(pcm: bytes) -> list[str]:
        await asyncio.sleep(0.01)
        return heard_words(pcm)

    async with LocalGoogle(slowly) as google:
        provider = GoogleProvider(
            GoogleModel(project_id="p"), GoogleLink(endpoint=google.endpoint, open_seconds=OPEN_SECONDS)
        )
        await provider.start()
        assert (await hear(provider))[-1].text == HEARD
        await provider.aclose()


async def test_the_final_comes_at_once_after_the_half_close() -> None:
    shortest = math.inf  # what we wait for, we wait for every time; what a busy machine does, not
    async with google_and_provider(fastest=AS_IT_COMES) as (google, provider):
        for _ in range(50):
            await hear(provider)
            half_closed_at = google.streams[-1].half_closed_at
            assert half_closed_at is not None
            shortest = min(shortest, time.monotonic() - half_closed_at)
            if shortest < 0.05:
                break
    assert shortest < 0.05


async def test_streams_are_spread_over_the_connections() -> None:
    async with google_and_provider() as (google, provider):
        streams = [await provider.open(UK) for _ in range(6)]
        for stream in streams:
            await feed(stream, SPEECH[:1600])
            assert [result async for result in stream]
        peers = [record.peer for record in google.streams]
        assert [peers.count(peer) for peer in set(peers)] == [2, 2, 2]
        for stream in streams:
            await stream.close()


# Pace


async def test_a_replay_is_within_the_pace_that_google_takes() -> None:
    speech = numbered_speech(range(60)).tobytes()  # 21.6 s
    loop = asyncio.get_running_loop()
    async with google_and_provider() as (_, provider):
        began, waits_from = time.monotonic(), loop.time()
        final = (await hear(provider, speech))[-1]
        took, waited = time.monotonic() - began, loop.time() - waits_from
    assert final.text == " ".join(map(str, range(60)))
    assert took > 21.6 / 4 - 0.1
    assert waited < 21.6, "it never catches up"


async def test_google_refuses_a_replay_without_pace_and_that_is_not_permanent() -> None:
    speech = numbered_speech(range(60)).tobytes()
    async with google_and_provider(fastest=AS_IT_COMES) as (_, provider):
        with pytest.raises(SttLimitError, match="streamed too fast"):
            await hear(provider, speech)


# What Google says when it ends a stream

ENDS: list[tuple[grpc.StatusCode, str, type[SttError]]] = [
    (Code.UNAVAILABLE, "The service is currently unavailable.", SttStreamError),
    (Code.INTERNAL, "Internal error encountered.", SttStreamError),
    (Code.UNKNOWN, "Stream removed", SttStreamError),
    (Code.ABORTED, "Max duration of 5 minutes reached for stream.", SttLimitError),
    (Code.OUT_OF_RANGE, "Exceeded maximum allowed stream duration of 305 seconds.", SttLimitError),
    (Code.OUT_OF_RANGE, "Something else.", SttRequestError),
    (Code.DEADLINE_EXCEEDED, "Deadline exceeded.", SttTimeoutError),
    (Code.RESOURCE_EXHAUSTED, "Quota exceeded for quota metric.", SttOverloadedError),
    (Code.INVALID_ARGUMENT, "Invalid value.", SttRequestError),
    (Code.NOT_FOUND, "Unable to find Recognizer.", SttRequestError),
    (Code.UNIMPLEMENTED, "Method not found!", SttRequestError),
    (Code.UNAUTHENTICATED, "Invalid authentication credentials.", SttAuthenticationError),
    (Code.PERMISSION_DENIED, "Permission denied on resource.", SttAuthenticationError),
]


@pytest.mark.parametrize("pause", [0.0, 0.005], ids=["unpaced", "paced"])
@pytest.mark.parametrize("when", ["at once", "in mid-utterance"])
@pytest.mark.parametrize(("code", "details", "kind"), ENDS)
async def test_what_google_says_is_classed_however_the_audio_came(
    code: grpc.StatusCode, details: str, kind: type[SttError], when: str, pause: float
) -> None:
    end = (code, details)
    script = (
        GoogleScript(refusal=end) if when == "at once" else GoogleScript(error=end, error_after_seconds=0.5)
    )
    async with google_and_provider(script, fastest=AS_IT_COMES) as (_, provider):
        with pytest.raises(SttError) as caught:
            await hear(provider, pause=pause)
    assert type(caught.value) is kind
    assert details in caught.value.detail


async def test_google_is_understood_where_grpc_masks_what_it_said() -> None:
    async def cause(provider: GoogleProvider) -> BaseException | None:
        with pytest.raises(SttOverloadedError, match="Quota exceeded") as caught:
            await hear(provider)
        return caught.value.__cause__

    script = GoogleScript(error=(Code.RESOURCE_EXHAUSTED, "Quota exceeded."), error_after_seconds=0.1)
    async with google_and_provider(*[script] * 100, fastest=AS_IT_COMES) as (_, provider):
        causes = await asyncio.gather(*(cause(provider) for _ in range(100)))
    masked = [error for error in causes if isinstance(error, GoogleAPICallError) and MASKED in str(error)]
    assert masked, "gRPC masked nothing: this test proves nothing"


@pytest.mark.parametrize(
    ("model", "language", "metadata", "kind", "words"),
    [
        (GoogleModel(project_id="shop", model="chirp_9"), "uk-UA", "good", SttRequestError, "chirp_9"),
        (
            GoogleModel(project_id="shop", location="us"),
            "uk-UA",
            "good",
            SttRequestError,
            "location to be eu",
        ),
        (GoogleModel(project_id="shop"), "kk-KZ", "good", SttLanguageError, "kk-KZ"),
        (GoogleModel(project_id="other"), "uk-UA", "good", SttAuthenticationError, "denied"),
        (GoogleModel(project_id="shop"), "uk-UA", "bad", SttAuthenticationError, "credentials"),
    ],
    ids=["model", "location", "language", "project", "key"],
)
async def test_what_is_set_wrong_is_found_and_is_permanent(
    model: GoogleModel, language: str, metadata: str, kind: type[SttError], words: str
) -> None:
    limits = GoogleLimits(project_id="shop", metadata=(("x-key", "good"),))
    async with google_and_provider(limits=limits, model=model, metadata=[("x-key", metadata)]) as (
        _,
        provider,
    ):
        with pytest.raises(kind, match=words) as caught:
            await hear(provider, config=StreamConfig(language_code=language))
    assert caught.value.is_permanent
    assert "GOOGLE_STT_" in caught.value.detail


async def test_a_stream_that_google_ends_too_early_is_no_final() -> None:
    async with google_and_provider(limits=GoogleLimits(stream_limit_seconds=0.2)) as (_, provider):
        with pytest.raises(SttLimitError, match="Max duration of 5 minutes"):
            await hear(provider)


async def test_a_stream_that_nobody_feeds_is_ended_by_google_and_can_be_tried_again() -> None:
    async with google_and_provider(limits=GoogleLimits(idle_limit_seconds=1.0)) as (_, provider):
        stream = await provider.open(UK)
        await stream.send(AudioChunk(pcm=SPEECH[:1600]))
        with pytest.raises(SttLimitError, match="no more client requests"):
            _ = [result async for result in stream]
        await stream.close()
        assert (await hear(provider))[-1].text == HEARD


async def test_interims_that_are_never_finalised_are_no_final() -> None:
    async with google_and_provider(GoogleScript(finals=0)) as (_, provider):
        with pytest.raises(SttStreamError, match="no final"):
            await hear(provider)


async def test_a_google_that_goes_away_ends_its_streams_and_is_found_again() -> None:
    async with contextlib.AsyncExitStack() as stack:
        port = stack.enter_context(reserved_port())
        google, provider = await stack.enter_async_context(google_and_provider(port=port))
        stream = await provider.open(UK)
        await stream.send(AudioChunk(pcm=SPEECH[:1600]))
        await google.arrived.wait()
        reading = asyncio.create_task(read(stream))
        await google.stop()
        with pytest.raises(SttStreamError):
            await reading
        await stream.close()
        with pytest.raises(SttConnectError):
            await provider.open(UK)
        await google.start()
        async with asyncio.timeout(60):
            while True:
                try:
                    heard = await hear(provider)
                    break
                except SttConnectError:
                    await asyncio.sleep(0.05)
        assert heard[-1].text == HEARD


# Deadlines


async def test_a_server_that_never_speaks_is_given_up() -> None:
    held = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    endpoint = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    provider = GoogleProvider(
        GoogleModel(project_id="p"), GoogleLink(endpoint=endpoint, open_seconds=0.3, connections=1)
    )
    async with asyncio.timeout(20):
        with pytest.raises(SttConnectError, match=r"in 0\.3 s"):
            await provider.start()
    with pytest.raises(SttConnectError):
        await provider.open(UK)
    await provider.aclose()
    for writer in held:
        writer.close()
    server.close()


@pytest.mark.parametrize(
    "script",
    [GoogleScript(is_silent=True), GoogleScript(final_after_seconds=math.inf), GoogleScript(blocks=True)],
    ids=["silent", "final never", "reads nothing"],
)
async def test_a_final_that_never_comes_is_a_timeout(script: GoogleScript) -> None:
    async with google_and_provider(script, max_seconds=0.4, final_seconds=0.1) as (_, provider):
        with pytest.raises(SttTimeoutError):
            await hear(provider, SPEECH[:6400])


async def test_a_final_that_comes_late_is_waited_for() -> None:
    async with google_and_provider(GoogleScript(final_after_seconds=0.5)) as (_, provider):
        assert (await hear(provider))[-1].text == HEARD


async def test_an_utterance_longer_than_agreed_is_refused() -> None:
    async with google_and_provider(max_seconds=1.0) as (_, provider):
        with pytest.raises(SttRequestError, match="longer"):
            await hear(provider)


async def test_the_kernel_gives_a_dead_link_up_when_keepalive_does() -> None:
    async with google_and_provider() as (google, _):
        timeouts = []
        for connection in own_connections_to(int(google.endpoint.rpartition(":")[2])):
            with connection:
                timeouts.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
    assert timeouts == [3000] * 3


def own_connections_to(port: int) -> list[socket.socket]:
    """Duplicates of this process's sockets whose peer is that port of ours; gRPC hides its own."""
    found = []
    for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError, IndexError), contextlib.ExitStack() as closing:  # not such a socket
            one = closing.enter_context(socket.socket(fileno=os.dup(descriptor)))
            if one.getpeername()[1] == port:
                found.append(one)
                closing.pop_all()
    return found


# Giving back


async def test_streams_fail_when_the_provider_is_given_back() -> None:
    async with google_and_provider() as (google, provider):
        stream = await provider.open(UK)
        await stream.send(AudioChunk(pcm=SPEECH[:1600]))
        await google.arrived.wait()
        reading = asyncio.create_task(read(stream))
        await asyncio.sleep(0)
        await provider.aclose()
        with pytest.raises(SttStreamError):
            await reading
        await stream.close()
        with pytest.raises(SttConnectError):
            await provider.open(UK)


async def test_closing_ends_the_iteration_and_not_the_task_that_reads() -> None:
    async with google_and_provider() as (_, provider):
        stream = await provider.open(UK)
        await stream.send(AudioChunk(pcm=SPEECH[:1600]))
        reading = asyncio.create_task(read(stream))
        await asyncio.sleep(0.05)
        await stream.close()
        assert not any(isinstance(result, Hypothesis) and result.is_final for result in await reading)


async def test_a_reader_that_is_cancelled_is_cancelled() -> None:
    async with google_and_provider() as (_, provider):
        stream = await provider.open(UK)
        reading = asyncio.create_task(read(stream))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await stream.close()
