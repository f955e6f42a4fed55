"""The dialects against real servers of other people, with the base weights, on loopback.

`make test-servers` runs them. Each server gets an environment of its own under the user's cache, made once.
One that cannot be installed is skipped with a loud reason.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slukh.conformance.report import is_understood
from slukh.errors import ServiceError, SttConnectError, SttRequestError, SttTimeoutError, WeightsError
from slukh.experiment.wer import plain_text
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.health import Clip, stored_clips
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.base import Rejection, StreamConfig, SttProvider
from slukh.stt.whisper.address import address
from slukh.stt.whisper.servers import server_at, server_name
from slukh.testing.fault_proxy import BLACK_HOLE, FaultProxy
from slukh.testing.real_whisper import SERVERS, RealServer, Running, environment, running, starting
from slukh.testing.socket_server import Peer, Script, SocketServer
from slukh.testing.whisper_server import FakeWhisperServer, Status
from slukh.testing.wyoming_server import WyomingServer
from slukh.types import AttemptEnded, AudioChunk, CallStarted, Event, RecognisersDown, Transcript
from slukh.weights import find_whisper, weights_dir

# What fixtures install takes as long as the network makes it; `real_whisper` has limits for that.
pytestmark = [pytest.mark.servers, pytest.mark.timeout(1500, func_only=True)]

UK, RU = stored_clips()
TRIALS = 3
WAIT_SECONDS = 300.0  # two cores may be busy with anything; WhisperLive decodes for ever for each caller
CONNECT_SECONDS = 30.0


@dataclass(frozen=True)
class Subject:
    """A server that runs, and its model."""

    server: RealServer
    model: Path
    run: Running

    def at(self, where: str, **options: Any) -> SttProvider:
        """Our client of it, or of what stands in its place at another address."""
        model = self.server.model_name(self.model)
        patient = {"connect_seconds": CONNECT_SECONDS, "final_seconds": WAIT_SECONDS}
        return server_at(address(where), **{"model": model, **patient, **options})

    def behind(self, port: int, **options: Any) -> SttProvider:
        return self.at(f"{self.server.scheme}://127.0.0.1:{port}", **options)


@pytest.fixture(scope="module")
def base() -> Path:
    try:
        return find_whisper(Path(os.environ.get("SLUKH_WEIGHTS_DIR", weights_dir())), "base")
    except WeightsError as error:
        pytest.skip(f"NO REAL WHISPER SERVER IS TESTED: {error}")


def installed(name: str) -> RealServer:
    """For fixtures: it may have to be fetched."""
    server = SERVERS[name]
    try:
        environment(server)
    except ServiceError as error:
        pytest.skip(f"{server.package} IS NOT TESTED: {error}")
    return server


@pytest.fixture(scope="module")
def openai_server() -> RealServer:
    return installed("faster-whisper-server")


@pytest.fixture(scope="module")
def wyoming_server() -> RealServer:
    return installed("wyoming-faster-whisper")


@pytest.fixture(scope="module", params=SERVERS)
def subject(request: pytest.FixtureRequest, base: Path) -> Iterator[Subject]:
    server = installed(request.param)
    with running(server, base) as run:
        yield Subject(server, base, run)


async def transcribed(provider: SttProvider, pcm: bytes, language_code: str = UK.language_code) -> list[Any]:
    stream = await provider.open(StreamConfig(language_code=language_code))
    try:
        for at in range(0, len(pcm), 1600):
            await stream.send(AudioChunk(pcm=pcm[at : at + 1600]))
        await stream.end()
        async with asyncio.timeout(WAIT_SECONDS):
            return [result async for result in stream]
    finally:
        await stream.close()


@pytest.mark.parametrize("clip", [UK, RU], ids=["uk-UA", "ru-RU"])
async def test_a_caller_is_understood(subject: Subject, clip: Clip) -> None:
    provider = subject.at(subject.run.address)
    await provider.start()
    *_, final = await transcribed(provider, clip.pcm, clip.language_code)
    await provider.aclose()
    assert is_understood(clip.text, final.text), final.text
    assert (final.is_final, final.language_code) == (True, clip.language_code)
    assert final.confidence is None or 0.3 < final.confidence <= 1.0


async def test_a_bare_address_says_which_server_it_is(subject: Subject) -> None:
    if subject.server.scheme != "http":
        pytest.skip(f"the scheme of {subject.server.package} says it")
    provider = subject.at(subject.run.address)
    await provider.start()
    assert server_name(provider) == subject.server.package
    await provider.aclose()


async def test_words_are_timed_where_they_are_asked_for(subject: Subject) -> None:
    if subject.server.package != "open-asr-server" and subject.server.scheme not in (
        "whisperlive+ws",
        "deepgram+ws",
    ):
        pytest.skip(f"{subject.server.package} has no word timings there")
    provider = subject.at(subject.run.address, words=True)
    *_, final = await transcribed(provider, UK.pcm)
    await provider.aclose()
    assert plain_text(" ".join(word.text for word in final.words)) == plain_text(final.text)
    assert 0 <= final.words[0].start < final.words[-1].end <= len(UK.pcm) // 2 + 8000


async def test_callers_at_once_all_get_their_final(subject: Subject) -> None:
    provider = subject.at(subject.run.address)
    results = await asyncio.gather(*(transcribed(provider, UK.pcm) for _ in range(3)))
    await provider.aclose()
    assert all(is_understood(UK.text, result[-1].text) for result in results)
    assert all([r.is_final for r in result].count(True) == 1 for result in results)


async def test_silence_that_was_taken_for_voice_gives_no_invented_text(subject: Subject) -> None:
    if subject.server.package == "whisperlivekit":
        pytest.skip(
            "without its own voice detection it looks for words in five seconds of silence for a minute"
        )
    provider = subject.at(
        subject.run.address, final_seconds=20.0 if subject.server.package == "whisper-live" else WAIT_SECONDS
    )
    if subject.server.package == "whisper-live":  # it says nothing at all, and that is not believed
        with pytest.raises(SttTimeoutError, match="no answer in"):
            await transcribed(provider, bytes(2 * 8000 * 5))
    else:
        results = await transcribed(provider, bytes(2 * 8000 * 5))
        assert results[-1].text == ""
        assert len(results) == 1 or isinstance(results[-2], Rejection)
    await provider.aclose()


@pytest.mark.parametrize("path", ["", "/v1", "/v1/audio/transcriptions", "/whisper"])
async def test_an_address_may_leave_out_its_path_and_a_wrong_one_is_named(
    path: str, base: Path, openai_server: RealServer
) -> None:
    with running(openai_server, base) as run:
        provider = server_at(address(run.address + path), model="base", final_seconds=WAIT_SECONDS)
        if path == "/whisper":
            with pytest.raises(SttRequestError, match="/whisper/v1/audio/transcriptions"):
                await transcribed(provider, UK.pcm)
        else:
            assert is_understood(UK.text, (await transcribed(provider, UK.pcm))[-1].text)
        await provider.aclose()


# Six faults, three calls each: one final per utterance, and all of its audio offered.


@dataclass(frozen=True)
class Scene:
    """What a call meets: its recogniser is struck in the middle of an utterance."""

    provider: SttProvider
    strike: Callable[[], Awaitable[None]]


async def nothing() -> None:
    """The fault was there from the beginning."""


@asynccontextmanager
async def reset_mid_utterance(subject: Subject) -> AsyncIterator[Scene]:
    async with FaultProxy(subject.run.port) as proxy:

        async def strike() -> None:
            proxy.reset()

        yield Scene(subject.behind(proxy.port), strike)


@asynccontextmanager
async def silent(subject: Subject) -> AsyncIterator[Scene]:
    async with FaultProxy(subject.run.port) as proxy:

        async def strike() -> None:
            proxy.down = BLACK_HOLE

        yield Scene(subject.behind(proxy.port), strike)


async def whisperlive_fails(peer: Peer) -> None:
    options = await peer.hear()
    await peer.say(uid=options["uid"], message="SERVER_READY", backend="faster_whisper")
    await peer.hear()
    await peer.say(uid=options["uid"], status="ERROR", message="out of memory")
    await peer.connection.wait_closed()


async def whisperlivekit_fails(peer: Peer) -> None:
    await peer.say(type="config", useAudioWorklet=True, mode="full")
    await peer.hear()
    await peer.say(status="error", lines=[], buffer_transcription="", error="out of memory")
    await peer.connection.wait_closed()


async def listen_fails(peer: Peer) -> None:
    await peer.say(type="Metadata", request_id="0", duration=0, channels=1)
    await peer.hear()
    await peer.say(type="Error", description="out of memory")
    await peer.connection.close(1011)


FAILS: dict[str, Script] = {
    "whisperlive+ws": whisperlive_fails,
    "whisperlivekit+ws": whisperlivekit_fails,
    "deepgram+ws": listen_fails,
}


@asynccontextmanager
async def answers_500(subject: Subject) -> AsyncIterator[Scene]:
    """A server of the same kind that answers with the failure of its protocol."""
    async with AsyncExitStack() as stack:
        if subject.server.scheme == "http":
            url = (
                await stack.enter_async_context(FakeWhisperServer([Status(500, "oops", "text/plain")]))
            ).url
            yield Scene(subject.at(f"{url}/v1"), nothing)
            return
        port = (
            (await stack.enter_async_context(WyomingServer(lambda _: [], fault="error"))).port
            if subject.server.scheme == "wyoming+tcp"
            else (await stack.enter_async_context(SocketServer(FAILS[subject.server.scheme]))).port
        )
        yield Scene(subject.behind(port), nothing)


@asynccontextmanager
async def closes_without_reply(subject: Subject) -> AsyncIterator[Scene]:
    async with FaultProxy(subject.run.port) as proxy:

        async def strike() -> None:
            with contextlib.suppress(OSError):  # of connections that another call's strike has closed
                proxy.half_close()

        yield Scene(subject.behind(proxy.port), strike)


@asynccontextmanager
async def still_loading(subject: Subject) -> AsyncIterator[Scene]:
    with starting(subject.server, subject.model) as run:
        yield Scene(subject.at(run.address), nothing)


@asynccontextmanager
async def killed(subject: Subject) -> AsyncIterator[Scene]:
    with running(subject.server, subject.model) as run:

        async def strike() -> None:
            run.process.kill()

        yield Scene(subject.at(run.address), strike)


FAULTS = (reset_mid_utterance, silent, answers_500, closes_without_reply, still_loading, killed)


async def call(scene: Scene, backup: SttProvider, number: int) -> list[Event]:
    """A caller says the clip, faster than life; the first recogniser of the chain meets the fault."""
    events: list[Event] = []
    upstreams = Upstreams({"whisper": scene.provider, "backup": backup})
    router = CallRouter(
        CallStarted(call_id=str(number), language_code=UK.language_code),
        Assignment(arm="whisper", chain=("whisper", "backup")),
        upstreams,
        events.append,
        policy=AttemptPolicy(
            connect_seconds=CONNECT_SECONDS,
            send_seconds=CONNECT_SECONDS,
            final_seconds=WAIT_SECONDS,
            give_up_seconds=WAIT_SECONDS * 2,
        ),
        interim_results=False,
    )
    utterance = Utterance(utterance_id=1, start=0)
    for at in range(0, len(UK.pcm), 3200):
        utterance.take(AudioChunk(pcm=UK.pcm[at : at + 3200]))
        router.hear(UtteranceGrew(utterance) if at else UtteranceStarted(utterance))
        if at // 3200 == len(UK.pcm) // 6400:
            await asyncio.sleep(1.0)  # the first half has arrived
            await scene.strike()
        await asyncio.sleep(0.02)
    utterance.endpoint = utterance.end
    router.hear(UtteranceEnded(utterance))
    await router.finish()
    return events


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_costs_no_word(subject: Subject, fault: Callable[[Subject], Any]) -> None:
    backup = subject.at(subject.run.address)
    async with fault(subject) as scene:
        calls = await asyncio.gather(*(call(scene, backup, number) for number in range(TRIALS)))
        await scene.provider.aclose()
    await backup.aclose()
    for events in calls:
        assert_nothing_was_lost(events)


def assert_nothing_was_lost(events: list[Event]) -> None:
    finals = [e for e in events if isinstance(e, Transcript) and e.is_final]
    attempts = [e for e in events if isinstance(e, AttemptEnded)]
    assert not any(isinstance(e, RecognisersDown) for e in events), attempts
    assert len(finals) == 1
    assert is_understood(UK.text, finals[0].text), (finals[0].text, attempts)
    (published,) = [a for a in attempts if a.outcome == "published"]
    assert published.audio_samples == len(UK.pcm) // 2


async def test_a_server_that_was_killed_is_not_there_any_more(base: Path, wyoming_server: RealServer) -> None:
    with running(wyoming_server, base) as run:
        provider = server_at(address(run.address), model="base", interims=False)
        await provider.start()
        run.process.kill()
        run.process.wait()
        with pytest.raises(SttConnectError):
            await transcribed(provider, UK.pcm)
        await provider.aclose()
