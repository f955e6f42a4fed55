"""A Whisper server that is set up wrongly costs no word where there is a backup, and says what is wrong."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.fake import FakeProvider
from slukh.stt.whisper.address import address
from slukh.stt.whisper.servers import server_at
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.socket_server import SocketServer, whisperlivekit
from slukh.testing.whisper_server import Answer, Closes, FakeWhisperServer, Says, Status
from slukh.testing.wyoming_server import WyomingServer
from slukh.types import AttemptEnded, AudioChunk, CallStarted, Event, Transcript

SPEECH = numbered_speech([1, 2, 3, 4]).tobytes()
Made = Callable[[], AbstractAsyncContextManager[str]]


def answering(*answers: Answer, path: str = "/v1") -> Made:
    """The address of a server that answers so."""

    @asynccontextmanager
    async def made() -> AsyncIterator[str]:
        async with FakeWhisperServer(answers) as server:
            yield server.url + path

    return made


@asynccontextmanager
async def nothing_there() -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    yield f"http://127.0.0.1:{port}/v1"


@asynccontextmanager
async def no_tls() -> AsyncIterator[str]:
    async with FakeWhisperServer() as server:
        yield server.url.replace("http://", "https://") + "/v1"


@asynccontextmanager
async def another_scheme() -> AsyncIterator[str]:
    async with FakeWhisperServer() as server:
        yield f"whisperlive+ws://127.0.0.1:{server.port}"


@asynccontextmanager
async def no_pcm_input() -> AsyncIterator[str]:
    async with SocketServer(whisperlivekit(["x"], pcm_input=False)) as server:
        yield f"whisperlivekit+ws://127.0.0.1:{server.port}"


@asynccontextmanager
async def wyoming_that_closes() -> AsyncIterator[str]:
    async with WyomingServer(heard_words, fault="closes") as server:
        yield f"wyoming+tcp://127.0.0.1:{server.port}"


BAD_INPUT: dict[str, tuple[Made, str, str]] = {
    "wrong path": (answering(path="/whisper"), "request", "see WHISPER_API_URL"),
    "HTML": (
        answering(Status(200, "<html>hello</html>", "text/html")),
        "protocol",
        "is this a Whisper server",
    ),
    "wrong key": (answering(Status(401)), "authentication", "see WHISPER_API_KEY"),
    "no TLS": (no_tls, "connect", "does the server speak it on this port"),
    "nobody there": (nothing_there, "connect", "is the server running"),
    "model not installed": (
        answering(Status(404, '{"detail": "no such model"}')),
        "request",
        "no such model",
    ),
    "still loading": (answering(Status(503)), "overloaded", "no room now"),
    "another language": (answering(Says("Привет.", language="ru")), "protocol", "uk-UA was asked"),
    "closes without a reply": (answering(Closes()), "stream", "its own log may say why"),
    "another scheme": (another_scheme, "request", "see WHISPER_API_URL"),
    "wants a container": (no_pcm_input, "request", "--pcm-input"),
    "Wyoming that closes": (wyoming_that_closes, "stream", "without an answer"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
async def test_bad_input_is_its_own_error_and_a_second_attempt_on_the_backup(name: str) -> None:
    made, outcome, sentence = BAD_INPUT[name]
    events: list[Event] = []
    async with made() as url:
        provider = server_at(address(url), model="base", final_seconds=5.0)
        router = CallRouter(
            CallStarted(call_id="1", language_code="uk-UA"),
            Assignment(arm="whisper", chain=("whisper", "backup")),
            Upstreams({"whisper": provider, "backup": FakeProvider(heard_words, name="backup")}),
            events.append,
            policy=AttemptPolicy(),
        )
        utterance = Utterance(utterance_id=1, start=0)
        for at in range(0, len(SPEECH), 1600):
            utterance.take(AudioChunk(pcm=SPEECH[at : at + 1600]))
            router.hear(UtteranceGrew(utterance) if at else UtteranceStarted(utterance))
            await asyncio.sleep(0)
        utterance.endpoint = utterance.end
        router.hear(UtteranceEnded(utterance))
        await router.finish()
        await provider.aclose()
    first, *_, last = [event for event in events if isinstance(event, AttemptEnded)]
    assert (first.provider, first.outcome) == ("whisper", outcome)
    assert sentence in (first.error or "")
    assert (last.provider, last.outcome, last.audio_samples) == ("backup", "published", len(SPEECH) // 2)
    (final,) = [event for event in events if isinstance(event, Transcript) and event.is_final]
    assert final.text == "1 2 3 4"
