"""What every recogniser promises (stt/base.py), asked of each: a new one is one more entry in RECOGNISERS."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.patience import HUNG_SECONDS

from slukh.errors import SttError, SttRequestError, WeightsError
from slukh.experiment.wer import character_errors, plain_text
from slukh.routing.health import Clip, stored_clips
from slukh.routing.pool import ServerPool
from slukh.stt.base import Hypothesis, StreamConfig, SttProvider, SttStream
from slukh.stt.fake import FakeProvider
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import GoogleLink
from slukh.stt.google_requests import GoogleModel
from slukh.stt.google_sharing import SharingRules
from slukh.stt.whisper.address import address, addresses
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.servers import server_at
from slukh.testing.google import LocalGoogle
from slukh.testing.google_recognition import GoogleScript
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.socket_server import (
    Script,
    SocketServer,
    deepgram,
    openai_realtime,
    speaches_realtime,
    vllm_realtime,
    whisperlive,
    whisperlivekit,
)
from slukh.testing.whisper_server import FakeWhisperServer, Says
from slukh.testing.wire_log import WireLog, replayed
from slukh.testing.wyoming_server import WyomingServer
from slukh.types import AudioChunk, samples_from_ms
from slukh.weights import find_whisper, weights_dir

UK = StreamConfig(language_code="uk-UA")
CHUNK = 1600
OPEN_SECONDS = 20.0  # gRPC connects in threads of its own, for which a busy machine may have no time
WIRES = Path(__file__).parents[1] / "wires"


@dataclass(frozen=True)
class Subject:
    """A started provider, an utterance of speech, and what is said in it."""

    provider: SttProvider
    speech: bytes
    text: str


Make = Callable[[], AbstractAsyncContextManager[Subject]]


@asynccontextmanager
async def fake() -> AsyncIterator[Subject]:
    yield Subject(FakeProvider(heard_words), numbered_speech([1, 2, 3, 4]).tobytes(), "1 2 3 4")


@asynccontextmanager
async def server(prefix: str = "") -> AsyncIterator[Subject]:
    text = "Скажіть, будь ласка, скільки коштує шиномонтаж чотирьох коліс?"
    async with FakeWhisperServer([Says(text)]) as whisper_server:
        provider = server_at(address(prefix + whisper_server.url), model="base")
        await provider.start()
        yield Subject(provider, numbered_speech(range(9)).tobytes(), text)
        await provider.aclose()


def whisper_cpp() -> AbstractAsyncContextManager[Subject]:
    return server("whisper.cpp+")


def over_a_socket(
    scheme: str, script: Callable[[str], Script]
) -> Callable[[], AbstractAsyncContextManager[Subject]]:
    """A Whisper server of the kind that listens while the caller speaks."""

    @asynccontextmanager
    async def subject() -> AsyncIterator[Subject]:
        text = "Скажіть, будь ласка, скільки коштує шиномонтаж чотирьох коліс?"
        async with SocketServer(script(text)) as socket_server:
            provider = server_at(address(f"{scheme}://127.0.0.1:{socket_server.port}"), model="base")
            await provider.start()
            yield Subject(provider, numbered_speech(range(9)).tobytes(), text)
            await provider.aclose()

    return subject


def stored_clip(language_code: str) -> Clip:
    return next(clip for clip in stored_clips() if clip.language_code == language_code)


def from_log(log: WireLog) -> Callable[[], AbstractAsyncContextManager[Subject]]:
    """A real server's own words, when it was told the clip that is told to it again."""

    @asynccontextmanager
    async def subject() -> AsyncIterator[Subject]:
        async with AsyncExitStack() as stack:
            if "http" in log.scheme:
                url = (await stack.enter_async_context(FakeWhisperServer([log.answer]))).url.partition("://")[
                    2
                ]
            else:
                url = f"127.0.0.1:{(await stack.enter_async_context(SocketServer(replayed(log)))).port}"
            path = "/v1" if log.scheme == "http" else ""  # else it would be asked what it is
            provider = server_at(address(f"{log.scheme}://{url}{path}"), model="base", words=True)
            await provider.start()
            yield Subject(provider, stored_clip(log.clip).pcm, log.heard)
            await provider.aclose()

    return subject


@asynccontextmanager
async def wyoming() -> AsyncIterator[Subject]:
    async with WyomingServer(heard_words) as wyoming_server:
        provider = server_at(address(f"wyoming+tcp://127.0.0.1:{wyoming_server.port}"))
        await provider.start()
        yield Subject(provider, numbered_speech([1, 2, 3, 4]).tobytes(), "1 2 3 4")
        await provider.aclose()


@asynccontextmanager
async def pool() -> AsyncIterator[Subject]:
    async with WyomingServer(heard_words) as one, WyomingServer(heard_words) as other:
        where = addresses(f"wyoming+tcp://127.0.0.1:{one.port},wyoming+tcp://127.0.0.1:{other.port}")
        provider = ServerPool({server.key: server_at(server) for server in where})
        await provider.start()
        yield Subject(provider, numbered_speech([1, 2, 3, 4]).tobytes(), "1 2 3 4")
        await provider.aclose()


@asynccontextmanager
async def local() -> AsyncIterator[Subject]:
    try:
        weights = find_whisper(Path(os.environ.get("SLUKH_WEIGHTS_DIR", weights_dir())), "base")
    except WeightsError as error:
        pytest.skip(f"LOCAL WHISPER IS NOT TESTED: {error}")
    clip = stored_clip("uk-UA")
    provider = WhisperProvider(LocalDecoder(weights), model="base")
    await provider.start()
    yield Subject(provider, clip.pcm, clip.text)
    await provider.aclose()


@asynccontextmanager
async def google() -> AsyncIterator[Subject]:
    async with LocalGoogle(heard_words) as local_google:
        link = GoogleLink(endpoint=local_google.endpoint, open_seconds=OPEN_SECONDS)
        provider = GoogleProvider(GoogleModel(project_id="test"), link)
        await provider.start()
        yield Subject(provider, numbered_speech([1, 2, 3, 4]).tobytes(), "1 2 3 4")
        await provider.aclose()


class OneCall(GoogleProvider):
    """All its utterances are of one call."""

    async def open(self, config: StreamConfig) -> SttStream:
        return await super().open(replace(config, call_id="call"))


@asynccontextmanager
async def google_for_a_call() -> AsyncIterator[Subject]:
    scripts = itertools.repeat(GoogleScript(endpoint_seconds=0.5))
    async with LocalGoogle(heard_words, scripts) as local_google:
        link = GoogleLink(endpoint=local_google.endpoint, open_seconds=OPEN_SECONDS)
        provider = OneCall(GoogleModel(project_id="test"), link, sharing=SharingRules())
        await provider.start()
        yield Subject(provider, numbered_speech([1, 2, 3, 4]).tobytes(), "1 2 3 4")
        await provider.aclose()


RECOGNISERS: dict[str, Make] = {
    "fake": fake,
    "whisper server": server,
    "whisper.cpp server": whisper_cpp,
    "wyoming": wyoming,
    "several servers": pool,
    "whisperlive": over_a_socket("whisperlive+ws", lambda text: whisperlive(["Скажіть", text])),
    "deepgram": over_a_socket("deepgram+ws", lambda text: deepgram([text], interims=["Скажіть"])),
    "whisperlivekit": over_a_socket("whisperlivekit+ws", lambda text: whisperlivekit(["Скажіть", text])),
    "realtime openai": over_a_socket("realtime+ws", openai_realtime),
    "realtime speaches": over_a_socket("realtime+ws", lambda text: speaches_realtime([text])),
    "realtime vllm": over_a_socket("realtime+ws", vllm_realtime),
    **{f"log of {file.stem}": from_log(WireLog.read(file)) for file in sorted(WIRES.glob("*.jsonl"))},
    "local whisper": local,
    "google": google,
    "google for a call": google_for_a_call,
}


@pytest.fixture(params=RECOGNISERS)
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with RECOGNISERS[request.param]() as made:
        yield made


async def feed(stream: SttStream, pcm: bytes, pause: Callable[[], Awaitable[object]] | None = None) -> None:
    for at in range(0, len(pcm), CHUNK):
        await stream.send(AudioChunk(pcm=pcm[at : at + CHUNK]))
        if pause is not None:
            await pause()


async def results(stream: SttStream) -> list[Hypothesis]:
    async with asyncio.timeout(HUNG_SECONDS):
        return [result async for result in stream if isinstance(result, Hypothesis)]


async def test_an_utterance_ends_in_exactly_one_final(subject: Subject) -> None:
    stream = await subject.provider.open(UK)
    listening = asyncio.create_task(results(stream))
    pace = (lambda: asyncio.sleep(0.1)) if subject.provider.capabilities.interim_results else None
    await feed(stream, subject.speech, pace)
    await stream.end()
    *interims, final = await listening
    await stream.close()
    assert final.is_final
    assert not any(interim.is_final for interim in interims)
    assert interims or not subject.provider.capabilities.interim_results
    errors = character_errors(plain_text(subject.text), plain_text(final.text))
    assert errors.cer is not None
    assert errors.cer < 0.25, final.text
    stable = ""
    for interim in interims:
        assert interim.text.startswith(stable), "a stable prefix was taken back"
        assert interim.stable_length >= len(stable)
        stable = interim.text[: interim.stable_length]


async def test_language_comes_back_as_bcp_47_and_confidence_within_its_range(subject: Subject) -> None:
    stream = await subject.provider.open(UK)
    await feed(stream, subject.speech)
    await stream.end()
    final = (await results(stream))[-1]
    await stream.close()
    assert final.language_code == "uk-UA"
    assert final.confidence is None or 0 < final.confidence <= 1


async def test_words_where_they_are_told_are_those_of_the_final_in_their_order(subject: Subject) -> None:
    stream = await subject.provider.open(UK)
    await feed(stream, subject.speech)
    await stream.end()
    final = (await results(stream))[-1]
    await stream.close()
    if final.words:
        assert letters(" ".join(word.text for word in final.words)) == letters(final.text)
        starts = [word.start for word in final.words]
        assert starts == sorted(starts)  # ends may reach into the next one: WhisperLiveKit's do
        assert final.words[-1].end <= len(subject.speech) // 2 + samples_from_ms(500)


def letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


async def test_an_utterance_without_a_voice_has_an_empty_final(subject: Subject) -> None:
    for chunks in ([], [AudioChunk(pcm=bytes(CHUNK), voiced=False)] * 5):
        stream = await subject.provider.open(UK)
        for chunk in chunks:
            await stream.send(chunk)
        await stream.end()
        assert [(r.text, r.is_final) for r in await results(stream)] == [("", True)]
        await stream.close()


async def test_no_interims_are_given_to_somebody_who_wants_none(subject: Subject) -> None:
    stream = await subject.provider.open(StreamConfig(language_code="uk-UA", interim_results=False))
    await feed(stream, subject.speech)
    await stream.end()
    assert [r.is_final for r in await results(stream)] == [True]
    await stream.close()


async def test_close_is_idempotent_at_any_time_and_ends_the_iteration(subject: Subject) -> None:
    for audio, ends in ((b"", False), (subject.speech, False), (subject.speech, True)):
        stream = await subject.provider.open(UK)
        listening = asyncio.create_task(results(stream))
        await feed(stream, audio)
        if ends:
            await stream.end()
        await stream.close()
        await stream.close()
        try:
            heard = await listening
        except SttError:
            continue
        assert len([r for r in heard if r.is_final]) <= 1


async def test_ending_twice_is_ending_once(subject: Subject) -> None:
    stream = await subject.provider.open(UK)
    await feed(stream, subject.speech)
    await stream.end()
    await stream.end()
    assert len([r for r in await results(stream) if r.is_final]) == 1
    await stream.close()


async def test_streams_side_by_side_hear_each_its_own(subject: Subject) -> None:
    async def one(pcm: bytes) -> str:
        stream = await subject.provider.open(StreamConfig(language_code="uk-UA", interim_results=False))
        await feed(stream, pcm)
        await stream.end()
        final = (await results(stream))[-1]
        await stream.close()
        return final.text

    spoken, silent, again = await asyncio.gather(one(subject.speech), one(b""), one(subject.speech))
    assert (spoken, silent) == (again, "")
    assert spoken


async def test_an_unknown_language_is_refused_before_any_audio(subject: Subject) -> None:
    with pytest.raises(SttRequestError):
        await subject.provider.open(StreamConfig(language_code="tlh-KL"))
