"""Servers that are posted to: their differences, pieces, events, probing, interims by asking again."""

import asyncio
import io
import json
import wave
from dataclasses import replace
from typing import Any, get_args

import pytest

from slukh.errors import (
    ErrorType,
    SttConnectError,
    SttError,
    SttOverloadedError,
    SttProtocolError,
    SttRequestError,
    SttStreamError,
)
from slukh.stt.base import StreamConfig, SttProvider
from slukh.stt.whisper.address import address
from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.http import HttpDecoder
from slukh.stt.whisper.http_answers import decoding_from_body
from slukh.stt.whisper.probing import UNKNOWN, Seen, recognised
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.remedies import REMEDIES
from slukh.stt.whisper.reposting import RepostingDecoder
from slukh.stt.whisper.servers import server_at
from slukh.stt.whisper.whisper_cpp import WHISPER_CPP, without_noise
from slukh.testing.fault_proxy import FaultProxy
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.testing.whisper_server import Closes, FakeWhisperServer, Hangs, Hears, Says, Status
from slukh.types import AudioChunk

UK = StreamConfig(language_code="uk-UA")
SPEECH = numbered_speech([1, 2, 3, 4]).tobytes()
INTERIM = DecodeRequest(pcm=SPEECH, kind="interim", language_code="uk-UA")
ASKED = DecodeRequest(pcm=b"", kind="final", language_code="uk-UA")


async def heard(provider: SttProvider, config: StreamConfig = UK, *, pause: float | None = None) -> list[Any]:
    stream = await provider.open(config)
    try:
        for at in range(0, len(SPEECH), 1600):
            await stream.send(AudioChunk(pcm=SPEECH[at : at + 1600]))
            if pause is not None:
                await asyncio.sleep(pause)
        await stream.end()
        async with asyncio.timeout(10):
            return [result async for result in stream]
    finally:
        await stream.close()


def soon() -> asyncio.Event:
    """Set a moment after now."""
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, event.set)
    return event


# Pieces


async def test_an_utterance_is_posted_while_it_is_spoken() -> None:
    async with FakeWhisperServer([Hears(heard_words)]) as server:
        provider = server_at(address(f"{server.url}/v1"), model="large-v3", interims=False)
        config = StreamConfig(language_code="uk-UA", phrase_hints=("шини",))
        (final,) = await heard(provider, config, pause=0.0)
        await provider.aclose()
    (request,) = server.received
    assert final.text == "1 2 3 4"
    assert request.form == {
        "model": "large-v3", "language": "uk", "response_format": "verbose_json", "temperature": "0",
        "prompt": "шини",
    }  # fmt: skip
    with wave.open(io.BytesIO(request.audio)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(file.getnframes()) == SPEECH


@pytest.mark.parametrize(("duration", "reported_ms"), [(1.5, 1500), (134217.7, None)])
async def test_a_duration_that_was_read_off_our_header_is_not_believed(
    duration: float, reported_ms: int | None
) -> None:
    async with FakeWhisperServer([Says("Так.", fields={"duration": duration})]) as server:
        provider = server_at(address(f"{server.url}/v1"), interims=False)
        assert (await heard(provider))[-1].reported_ms == reported_ms
        await provider.aclose()


async def test_a_server_that_is_not_there_fails_the_stream_while_the_caller_speaks() -> None:
    async with FakeWhisperServer() as server:
        url = server.url
    provider = server_at(address(f"{url}/v1"))
    stream = await provider.open(UK)
    await stream.send(AudioChunk(pcm=SPEECH))
    with pytest.raises(SttConnectError):
        _ = [result async for result in stream]
    await stream.close()
    await provider.aclose()


@pytest.mark.parametrize("status", [400, 411, 415, 422, 501])
async def test_a_server_that_refuses_pieces_is_posted_to_whole_from_then_on(status: int) -> None:
    async with FakeWhisperServer([Status(status), Hears(heard_words)]) as server:
        decoder = HttpDecoder(server.url, pieces=True)
        provider = WhisperProvider(decoder, model="base")
        assert (await heard(provider))[-1].text == "1 2 3 4"
        assert not decoder.pieces
        assert (await heard(provider))[-1].text == "1 2 3 4"
        await provider.aclose()
    assert len(server.received) == 3


@pytest.mark.parametrize("refusal", [Closes(), Status(501), Status(411)], ids=["closes", "501", "411"])
async def test_who_refuses_pieces_at_their_head_gets_the_whole_utterance_at_its_end(refusal: Any) -> None:
    async with FakeWhisperServer([Hears(heard_words)], to_pieces=refusal) as server:
        decoder = HttpDecoder(server.url, pieces=True)
        provider = WhisperProvider(decoder, model="base")
        assert (await heard(provider, pause=0.02))[-1].text == "1 2 3 4"
        assert decoder.pieces == isinstance(refusal, Closes), "a break may have been an accident"
        assert (await heard(provider, pause=0.0))[-1].text == "1 2 3 4"
        assert not decoder.pieces
        await provider.aclose()
    assert len(server.received) == 2


async def test_a_request_that_is_refused_whole_too_is_refused() -> None:
    async with FakeWhisperServer([Status(400, '{"detail": "no such model"}')]) as server:
        decoder = HttpDecoder(server.url, pieces=True)
        provider = WhisperProvider(decoder, model="base")
        with pytest.raises(SttRequestError, match="no such model"):
            await heard(provider)
        assert decoder.pieces
        await provider.aclose()


@pytest.mark.parametrize("answer", [Status(500), Hangs()])
async def test_a_server_that_fails_is_asked_once(answer: Any) -> None:
    async with FakeWhisperServer([answer]) as server:
        decoder = HttpDecoder(server.url, pieces=True, total_seconds=0.3)
        provider = WhisperProvider(decoder, model="base")
        with pytest.raises(SttError):
            await heard(provider)
        await provider.aclose()
    assert len(server.received) == 1


@pytest.mark.parametrize("answer", [Closes(), Status(400)], ids=["closes", "400"])
async def test_who_has_taken_pieces_is_asked_once_whatever_it_answers_later(answer: Any) -> None:
    async with FakeWhisperServer([Hears(heard_words), answer]) as server:
        decoder = HttpDecoder(server.url, pieces=True)
        provider = WhisperProvider(decoder, model="base")
        await heard(provider)
        with pytest.raises(SttError):
            await heard(provider)
        await provider.aclose()
    assert decoder.pieces
    assert len(server.received) == 2


async def test_an_upload_that_broke_in_mid_word_fails_its_stream_there_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        FakeWhisperServer([Hears(heard_words)]) as server,
        FaultProxy(server.port) as proxy,
    ):
        provider = WhisperProvider(HttpDecoder(f"http://127.0.0.1:{proxy.port}", pieces=True), model="base")
        await heard(provider)
        server.begun.clear()
        stream = await provider.open(UK)
        await stream.send(AudioChunk(pcm=SPEECH[:1600]))
        await server.begun.wait()
        proxy.reset()
        await stream.send(AudioChunk(pcm=SPEECH[1600:]))
        with pytest.raises(SttStreamError):
            _ = [result async for result in stream]
        await stream.end()  # as the router does when it learns of both at once
        await stream.close()
        await provider.aclose()
    assert not caplog.records


# whisper.cpp


def test_whisper_cpp_encodes_a_short_window_for_an_interim_and_all_of_it_for_a_final() -> None:
    interim = replace(INTERIM, window_seconds=10.0)
    assert WHISPER_CPP.fields("base", "uk", interim)["audio_ctx"] == "500"
    assert "audio_ctx" not in WHISPER_CPP.fields("base", "uk", ASKED)


async def test_whisper_cpp_is_asked_in_its_own_form_and_its_noise_taken_out() -> None:
    async with FakeWhisperServer([Says("[музика] Добрий день. (кашель)", language="ukrainian")]) as server:
        provider = server_at(address(f"whisper.cpp+{server.url}"), interims=False)
        (final,) = await heard(provider)
        await provider.aclose()
    (request,) = server.received
    assert final.text == "Добрий день."
    assert request.path == "/inference"
    assert request.form["no_language_probabilities"] == "true"
    assert request.form["token_timestamps"] == "false"
    assert "model" not in request.form


@pytest.mark.parametrize(
    ("text", "clean"),
    [("[музика]", ""), ("Так (сміх) ні", "Так ні"), ("*тиша* алло ♪", "алло"), ("ціна 5", "ціна 5")],
)
def test_noise_is_what_stands_in_brackets(text: str, clean: str) -> None:
    assert without_noise(text) == clean


def test_a_word_that_wraps_between_segments_stays_one() -> None:
    answer = {"text": "п'ять ліц\nю", "segments": [{"text": " п'ять ліц"}, {"text": "ю"}]}
    decoding = decoding_from_body("whisper", json.dumps(answer).encode(), "application/json", ASKED)
    assert decoding.text == "п'ять ліцю"


# Events


def events(*data: Any) -> bytes:
    lines = [d if isinstance(d, str) else json.dumps(d) for d in data]
    return "".join(f"data: {line}\n\n" for line in lines).encode()


def delta(text: str) -> dict[str, Any]:
    return {"type": "transcript.text.delta", "delta": text, "logprobs": None}


def chunk(text: str) -> dict[str, Any]:
    return {"object": "transcription.chunk", "choices": [{"delta": {"content": text}, "finish_reason": None}]}


@pytest.mark.parametrize(
    "body",
    [
        events(delta("Добрий"), delta(" день."), {"type": "transcript.text.done", "text": "Добрий день."}),
        events(delta("Добрий"), delta(" день."), {"type": "transcript.text.done", "text": ""}),
        events(chunk(" Добрий"), chunk(" день."), "[DONE]"),
        events(
            {"type": "metadata", "language": "uk", "language_probability": 1.0},
            {"id": 0, "start": 0.0, "end": 1.0, "text": " Добрий"},
            {"id": 1, "start": 1.0, "end": 2.0, "text": " день."},
            "[DONE]",
        ),
    ],
    ids=["openai", "speaches", "vllm", "whisperlive"],
)
def test_events_of_all_three_schemas_are_one_text(body: bytes) -> None:
    decoding = decoding_from_body("whisper", body, "text/event-stream; charset=utf-8", ASKED)
    assert (decoding.text, decoding.language_code) == ("Добрий день.", "uk-UA")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (events(delta("Добрий")), SttStreamError),
        (events({"error": "out of memory"}), SttStreamError),
        (events({"error": {"message": "out of memory"}}, "[DONE]"), SttStreamError),
        (events("<html>"), SttProtocolError),
        (b"", SttStreamError),
    ],
)
def test_events_that_break_off_or_tell_of_a_failure_are_errors(body: bytes, error: Any) -> None:
    with pytest.raises(error):
        decoding_from_body("whisper", body, "text/event-stream", ASKED)


# Probing


def seen(path: str, body: Any = None, *, server: str = "", text: str = "") -> Seen:
    return Seen(path=path, status=200, server=server, body=body, text=text)


OPEN_ASR = "Local transcription server with OpenAI Whisper API compatibility"


def described(title: str, description: str | None = None) -> Seen:
    info = {"title": title, "version": "1"} | ({} if description is None else {"description": description})
    return seen("/openapi.json", {"openapi": "3.1.0", "info": info, "paths": {}})


def models_of(owner: str) -> Seen:
    return seen("/v1/models", {"object": "list", "data": [{"id": "base", "owned_by": owner}]})


@pytest.mark.parametrize(
    ("answers", "server", "dialect"),
    [
        ([seen("/health", {"status": "ok"}, server="whisper.cpp")], "whisper.cpp", "whisper.cpp"),
        ([seen("/", text="<title>Whisper.cpp Server</title>")], "whisper.cpp", "whisper.cpp"),
        ([described("Speaches")], "speaches", "openai"),
        ([described("faster-whisper-server")], "faster-whisper-server", "openai"),
        ([described("OpenAI-Compatible ASR Server", OPEN_ASR)], "open-asr-server", "openai"),
        ([seen("/health", {"status": "ok", "backend": "x", "ready": True})], "WhisperLiveKit", "openai"),
        ([seen("/health", {"status": "ok", "clients": 0, "max_clients": 4})], "WhisperLive", "openai"),
        ([seen("/version", {"version": "0.11.0"}), models_of("vllm")], "vLLM", "openai"),
        # What others answer as well names nobody.
        ([seen("/health", {"status": "ok"})], "an OpenAI-compatible server", "openai"),
        ([seen("/health", {"message": "OK"})], "an OpenAI-compatible server", "openai"),
        ([seen("/version", {"version": "0.11.0"})], "an OpenAI-compatible server", "openai"),
        ([models_of("vllm")], "an OpenAI-compatible server", "openai"),
        ([described("OpenAI-Compatible ASR Server")], "an OpenAI-compatible server", "openai"),
        ([described("FastAPI"), models_of("local")], "an OpenAI-compatible server", "openai"),
        (
            [seen("/openapi.json", {"info": ["?"]}), seen("/v1/models", {"data": "?"})],
            UNKNOWN.server,
            "openai",
        ),
        ([], "an OpenAI-compatible server", "openai"),
    ],
)
def test_a_server_is_known_by_what_no_other_answers(answers: list[Seen], server: str, dialect: str) -> None:
    found = recognised(answers)
    assert (found.server, found.dialect) == (server, dialect)


async def test_a_bare_address_of_whisper_cpp_is_spoken_to_as_such() -> None:
    async with FakeWhisperServer([Says("Так.")], server_header="whisper.cpp") as server:
        provider = server_at(address(server.url), interims=False)
        await provider.start()
        assert (await heard(provider))[-1].text == "Так."
        await provider.aclose()
    assert server.received[0].path == "/inference"


async def test_a_server_that_was_down_at_the_start_is_recognised_at_its_first_use() -> None:
    async with FakeWhisperServer([Says("Так.")], server_header="whisper.cpp") as server:
        provider = server_at(address(server.url), interims=False)
        assert (await heard(provider))[-1].text == "Так."
        await provider.aclose()
    assert server.received[0].path == "/inference"


# Interims by asking again


def reposting(server: FakeWhisperServer, **options: Any) -> WhisperProvider:
    return WhisperProvider(RepostingDecoder(HttpDecoder(server.url, pieces=True), **options), model="base")


async def test_a_quick_server_gives_interims_while_the_caller_speaks() -> None:
    async with FakeWhisperServer([Hears(heard_words)]) as server:
        provider = reposting(server)
        assert len(await heard(provider, pause=0.02)) == 1, "nobody knows yet whether it is quick"
        *interims, final = await heard(provider, pause=0.02)
        await provider.aclose()
    assert final.text == "1 2 3 4"
    assert interims
    assert all(final.text.startswith(interim.text[: interim.stable_length]) for interim in interims)
    assert not provider.capabilities.interim_results, "they come when the server has time"


async def test_no_interim_is_asked_for_while_a_final_is_due() -> None:
    async with FakeWhisperServer([Hangs()]) as server:
        decoder = RepostingDecoder(HttpDecoder(server.url))
        final = asyncio.create_task(decoder.decode(ASKED))
        await server.arrived.wait()
        with pytest.raises(SttOverloadedError, match="a final is due"):
            await decoder.decode(INTERIM)
        final.cancel()
        await decoder.aclose()
    assert len(server.received) == 1


async def test_an_interim_that_runs_gives_way_to_a_final_and_its_connection_is_closed() -> None:
    async with FakeWhisperServer([Says("Так."), Hangs(), Says("Так.")]) as server:
        decoder = RepostingDecoder(HttpDecoder(server.url))
        await decoder.decode(ASKED)
        server.arrived.clear()
        interim = asyncio.create_task(decoder.decode(INTERIM))
        await server.arrived.wait()
        assert (await decoder.decode(ASKED)).text == "Так."
        with pytest.raises(SttOverloadedError, match="gave way"):
            await interim
        async with asyncio.timeout(2):
            await server.left.wait()
        await decoder.aclose()


async def test_a_server_whose_finals_are_slow_is_not_asked_for_interims() -> None:
    async with FakeWhisperServer([Says("Так.", after=soon())]) as server:
        decoder = RepostingDecoder(HttpDecoder(server.url), quick_final_seconds=0.0)
        await decoder.decode(ASKED)
        with pytest.raises(SttOverloadedError, match="its last final took"):
            await decoder.decode(INTERIM)
        await decoder.aclose()


async def test_after_an_interim_that_took_long_there_are_none_for_a_while() -> None:
    async with FakeWhisperServer([Says("Так."), Says("Так.", after=soon())]) as server:
        decoder = RepostingDecoder(HttpDecoder(server.url), quick_seconds=0.0)
        await decoder.decode(ASKED)
        await decoder.decode(INTERIM)
        with pytest.raises(SttOverloadedError, match="an interim took"):
            await decoder.decode(INTERIM)
        await decoder.aclose()


@pytest.mark.parametrize("url", ["https://api.openai.com", "https://api.groq.com/openai/v1"])
def test_what_bills_each_request_is_asked_once_per_utterance(url: str) -> None:
    provider = server_at(address(url))
    assert provider.capabilities.metered
    assert isinstance(provider, WhisperProvider)
    assert isinstance(provider.decoder, HttpDecoder)
    assert not provider.decoder.pieces


def test_every_class_of_error_has_its_remedy() -> None:
    assert set(REMEDIES) == set(get_args(ErrorType))
