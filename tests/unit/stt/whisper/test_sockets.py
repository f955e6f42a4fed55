"""Servers that listen while the caller speaks, each in its own wire form, behind one contract."""

import asyncio
import json
import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slukh.audio import linear16_from_mulaw
from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttLimitError,
    SttOverloadedError,
    SttProtocolError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.stt.base import Hypothesis, Rejection, StreamConfig
from slukh.stt.whisper.address import address
from slukh.stt.whisper.conversation import Asked, Heard
from slukh.stt.whisper.deepgram import deepgram_call
from slukh.stt.whisper.realtime import realtime_call
from slukh.stt.whisper.servers import server_at
from slukh.stt.whisper.whisperlive import NOTHING_SECONDS, WhisperLiveConversation, whisperlive_call
from slukh.stt.whisper.whisperlivekit import whisperlivekit_call
from slukh.testing.numbered import heard_numbers, numbered_speech
from slukh.testing.socket_server import (
    Peer,
    Script,
    SocketServer,
    deepgram,
    openai_realtime,
    speaches_realtime,
    vllm_realtime,
    whisperlive,
    whisperlivekit,
)
from slukh.testing.whisper_server import FakeWhisperServer
from slukh.types import AudioChunk

UK = StreamConfig(language_code="uk-UA")
CALLS = {
    "whisperlive+ws": whisperlive_call,
    "deepgram+ws": deepgram_call,
    "whisperlivekit+ws": whisperlivekit_call,
    "realtime+ws": realtime_call,
}
SPEECH = numbered_speech([1, 2, 3, 4]).tobytes()
TEXT = "Скільки коштує шиномонтаж?"
SCRIPTS: dict[str, Script] = {
    "whisperlive+ws": whisperlive(["Скільки", "Скільки коштує", TEXT]),
    "deepgram+ws": deepgram(["Скільки коштує", "шиномонтаж?"], interims=["Скільки", "Скільки коштує"]),
    "whisperlivekit+ws": whisperlivekit(["Скільки", "Скільки коштує", TEXT]),
    "realtime+ws openai": openai_realtime(TEXT),
    "realtime+ws speaches": speaches_realtime(["Скільки коштує", "шиномонтаж?"]),
    "realtime+ws vllm": vllm_realtime(TEXT),
}


async def heard(
    server: SocketServer | FakeWhisperServer, scheme: str, config: StreamConfig = UK, **options: Any
) -> list[Any]:
    where = address(f"{scheme.split(maxsplit=1)[0]}://127.0.0.1:{server.port}")
    provider = server_at(where, **{"model": "base", "final_seconds": 5.0, **options})
    stream = await provider.open(config)
    try:
        for at in range(0, len(SPEECH), 1600):
            await stream.send(AudioChunk(pcm=SPEECH[at : at + 1600]))
            await asyncio.sleep(0)
        await stream.end()
        async with asyncio.timeout(10):
            return [result async for result in stream]
    finally:
        await stream.close()
        await provider.aclose()


async def failure(script: Script, scheme: str = "deepgram+ws", **options: Any) -> SttError:
    async with SocketServer(script) as server:
        with pytest.raises(SttError) as caught:
            await heard(server, scheme, **options)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("scheme", SCRIPTS)
async def test_every_dialect_gives_its_interims_and_one_final(scheme: str) -> None:
    async with SocketServer(SCRIPTS[scheme]) as server:
        *interims, final = await heard(server, scheme)
    assert (final.text, final.is_final, final.language_code) == (TEXT, True, "uk-UA")
    assert not any(interim.is_final for interim in interims)
    for interim in interims:
        assert TEXT.startswith(interim.text.removesuffix("."))


@pytest.mark.parametrize("scheme", [*SCRIPTS, "http"])
async def test_the_key_of_a_server_stands_in_no_log(scheme: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    servers = {name: SocketServer(script, key="sk-secret") for name, script in SCRIPTS.items()}
    async with servers.get(scheme) or FakeWhisperServer(api_key="sk-secret") as server:
        await heard(server, scheme, api_key="sk-secret")
    # The server's own log is kept in the same process here.
    ours = [record for record in caplog.records if record.name != "websockets.server"]
    assert not [record for record in ours if "sk-secret" in str(vars(record))]


async def test_an_answer_that_nobody_can_read_fails_the_attempt_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def nests_too_deep(peer: Peer) -> None:
        await peer.hear()
        await peer.connection.send("[" * 200_000)
        await peer.hear_until(lambda _: False)

    error = await failure(nests_too_deep)
    assert "RecursionError" in str(error)
    assert isinstance(error, SttStreamError)
    assert "recogniser_defect" in caplog.messages


async def test_what_a_server_says_again_is_no_second_hearing_of_it() -> None:
    async with SocketServer(whisperlivekit(["Скажіть", "Скажіть", "Скажіть", TEXT])) as server:
        *interims, final = await heard(server, "whisperlivekit+ws")
    assert [(interim.text, interim.stability) for interim in interims] == [("Скажіть", interims[0].stability)]
    assert final.text == TEXT


async def test_whisperlivekit_is_not_asked_to_look_for_pauses_and_deepgram_is() -> None:
    asked = Asked(name="whisper", key="k", model="nova-3", language="uk", hints=(), words=True)
    assert "endpointing=false" in deepgram_call(address("deepgram+ws://127.0.0.1:8000"), asked).url
    assert "endpointing=300" in deepgram_call(address("deepgram+wss://api.deepgram.com"), asked).url


@pytest.mark.parametrize(
    ("scheme", "rate"),
    [("whisperlive+ws", 16000), ("deepgram+ws", 16000), ("whisperlivekit+ws", 16000),
     ("realtime+ws vllm", 16000), ("realtime+ws speaches", 24000)],
)  # fmt: skip
async def test_all_of_an_utterance_arrives_at_the_rate_that_the_server_wants(scheme: str, rate: int) -> None:
    async with SocketServer(SCRIPTS[scheme]) as server:
        await heard(server, scheme)
        audio = np.frombuffer(bytes(server.peers[0].audio), "<i2")
    assert heard_numbers(audio[:: rate // 8000].astype("<i2").tobytes()) == [1, 2, 3, 4]
    assert len(audio) / rate >= len(SPEECH) / 16000


async def test_openai_gets_g711_as_it_came_from_the_line() -> None:
    async with SocketServer(openai_realtime(TEXT)) as server:
        await heard(server, "realtime+ws", StreamConfig(language_code="ru-RU", phrase_hints=("шина",)))
        peer = server.peers[0]
    assert heard_numbers(linear16_from_mulaw(bytes(peer.audio))) == [1, 2, 3, 4]
    update = peer.messages[0]["session"]["audio"]["input"]
    assert update["format"] == {"type": "audio/pcmu"}
    assert update["transcription"] == {"model": "base", "language": "ru", "prompt": "шина"}
    assert update["turn_detection"] is None


async def test_languages_leave_us_as_iso_639_1() -> None:
    for scheme in ("whisperlive+ws", "deepgram+ws", "whisperlivekit+ws"):
        async with SocketServer(SCRIPTS[scheme]) as server:
            await heard(server, scheme)
            peer = server.peers[0]
        said = peer.messages[0].get("language") if scheme.startswith("whisperlive+") else None
        assert said == "uk" or "language=uk&" in peer.path
        assert "uk-UA" not in peer.path


async def test_a_language_that_nobody_knows_is_refused_before_anything_is_sent() -> None:
    async with SocketServer(SCRIPTS["deepgram+ws"]) as server:
        with pytest.raises(SttLanguageError, match="unknown language"):
            await heard(server, "deepgram+ws", StreamConfig(language_code="tlh-KL"))
        assert server.peers == []


async def test_an_utterance_without_a_voice_is_not_asked_about() -> None:
    async with SocketServer(SCRIPTS["deepgram+ws"]) as server:
        provider = server_at(address(f"deepgram+ws://127.0.0.1:{server.port}"))
        stream = await provider.open(UK)
        await stream.send(AudioChunk(pcm=bytes(1600), voiced=False))
        await stream.end()
        assert [r async for r in stream] == [Hypothesis(text="", is_final=True, language_code="uk-UA")]
        await stream.close()
        await stream.close()
        assert {"type": "CloseStream"} not in server.received


async def test_an_invention_is_refused_and_confidence_passed_on() -> None:
    async with SocketServer(deepgram(["Дякую за перегляд!"])) as server:
        rejection, final = await heard(server, "deepgram+ws")
    assert (rejection, final.text) == (Rejection(reason="phrase"), "")
    async with SocketServer(deepgram(["Добрий", "день."], confidence=0.5)) as server:
        (final,) = await heard(server, "deepgram+ws")
    assert (final.text, final.confidence) == ("Добрий день.", pytest.approx(0.5))


def whisperlive_conversation(voiced_seconds: float) -> WhisperLiveConversation:
    conversation = WhisperLiveConversation("whisper", language="uk", model="base")
    conversation.open()
    conversation.receive('{"uid": "1", "message": "SERVER_READY"}', 0.0)
    conversation.audio(AudioChunk(pcm=bytes(round(voiced_seconds * 8000) * 2)))
    return conversation


def segments(text: str, end: float) -> str:
    segment = {"start": "0.000", "end": f"{end:.3f}", "text": f" {text}", "completed": False}
    return json.dumps({"uid": "1", "segments": [segment]})


def test_whisperlive_has_nothing_to_say_to_a_cough() -> None:
    conversation = whisperlive_conversation(0.3)
    conversation.end()
    assert conversation.look_in == NOTHING_SECONDS
    assert conversation.tick() == [Heard(text="", is_last=True)]


def test_a_sentence_that_whisperlive_is_silent_about_is_not_believed_to_be_none() -> None:
    conversation = whisperlive_conversation(3.0)
    conversation.end()
    assert conversation.tick() == []


def test_whisperlive_is_waited_for_until_its_segments_reach_the_end_of_the_voice() -> None:
    conversation = whisperlive_conversation(3.0)
    conversation.receive(segments("так", 1.0), 1.0)
    conversation.end()
    assert conversation.tick() == []
    assert conversation.receive(segments("так, будь ласка", 2.9), 8.0) == [Heard(text="так, будь ласка")]
    assert conversation.tick() == [Heard(text="так, будь ласка", is_last=True)]


def test_whisperlive_is_waited_for_twice_as_long_as_its_decodes_take() -> None:
    conversation = whisperlive_conversation(1.0)
    for now in (1.0, 4.0):
        conversation.receive(segments("так", 1.0), now)
    conversation.end()
    assert conversation.look_in == 6.0
    assert conversation.tick() == [Heard(text="так", is_last=True)]


def test_a_first_answer_of_a_slow_whisperlive_is_not_believed_before_a_second_can_come() -> None:
    conversation = whisperlive_conversation(1.9)
    conversation.end()
    conversation.receive(segments("Скільки", 1.0), 3.0)  # two seconds' work on the first second
    assert conversation.look_in == 4.0


async def test_a_tail_that_whisperlive_decodes_last_is_not_lost() -> None:
    """The first answer after the endpoint is of a decode that had begun before."""

    async def script(peer: Peer) -> None:
        uid = (await peer.hear())["uid"]
        await peer.say(uid=uid, message="SERVER_READY", backend="faster_whisper")
        while len(peer.audio) < 32000 or any(peer.audio[-16000:]):
            await peer.hear()
        for text in ("Скільки коштує", TEXT, TEXT):
            segment = {"start": "0.000", "end": "2.000", "text": text, "completed": False}
            await peer.say(uid=uid, segments=[segment])
        await peer.connection.wait_closed()

    async with SocketServer(script) as server:
        assert (await heard(server, "whisperlive+ws"))[-1].text == TEXT


async def closes(peer: Peer) -> None:
    await peer.hear()
    await peer.connection.close(1000)


async def resets(peer: Peer) -> None:
    await peer.hear()
    peer.connection.transport.abort()


async def hangs(peer: Peer) -> None:
    while True:
        await peer.hear()


async def says_html(peer: Peer) -> None:
    await peer.connection.send("<html>")
    await peer.connection.wait_closed()


def says(**fields: Any) -> Script:
    async def script(peer: Peer) -> None:
        await peer.say(**fields)
        await peer.connection.wait_closed()

    return script


def refuses(error: Any, code: str | None = None) -> Script:
    return says(type="error", error=error, code=code)


def closes_with(code: int) -> Script:
    async def script(peer: Peer) -> None:
        await peer.connection.close(code)

    return script


@pytest.mark.parametrize(
    ("scheme", "script", "error", "sentence"),
    [
        ("deepgram+ws", closes, SttStreamError, "closed without a result, close code 1000"),
        ("deepgram+ws", resets, SttStreamError, "close code 1006"),
        ("deepgram+ws", hangs, SttTimeoutError, "no answer in 0.5 s"),
        ("deepgram+ws", says_html, SttProtocolError, "cannot be read"),
        ("deepgram+ws", says(type="Error", description="8000 Hz"), SttRequestError, "8000 Hz"),
        ("deepgram+ws", closes_with(4401), SttAuthenticationError, "WHISPER_API_KEY"),
        ("whisperlive+ws", closes, SttProtocolError, "is this WhisperLive"),
        ("whisperlive+ws", says(status="WAIT", message=2.5), SttOverloadedError, "2.5 minutes"),
        ("whisperlive+ws", says(uid="1", message="DISCONNECT"), SttLimitError, "time for one connection"),
        ("whisperlive+ws", says(status="ERROR", message="no model"), SttRequestError, "no model"),
        ("whisperlivekit+ws", whisperlivekit([""], pcm_input=False), SttRequestError, "--pcm-input"),
        ("whisperlivekit+ws", closes_with(4401), SttAuthenticationError, "WHISPER_API_KEY"),
        ("whisperlivekit+ws", says(type="error", error="bad"), SttRequestError, "bad"),
        ("realtime+ws", closes_with(1008), SttAuthenticationError, "WHISPER_API_KEY"),
        ("realtime+ws", refuses({"code": "invalid_api_key"}), SttAuthenticationError, "WHISPER_API_KEY"),
        ("realtime+ws", refuses({"type": "invalid_request_error"}), SttRequestError, "MODEL"),
        ("realtime+ws", refuses("Model not found", "model_not_found"), SttRequestError, "Model not found"),
        ("realtime+ws", refuses({"code": "rate_limit_exceeded"}), SttOverloadedError, "room"),
        ("realtime+ws", refuses({"type": "server_error"}), SttStreamError, "failed"),
    ],
)  # fmt: skip
async def test_every_way_to_fail_is_its_own_error(
    scheme: str, script: Script, error: type[SttError], sentence: str
) -> None:
    caught = await failure(script, scheme, final_seconds=0.5)
    assert type(caught) is error
    assert sentence in str(caught)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["type", "status", "message", "segments", "channel", "lines", "buffer_transcription", "error", "item_id",
     "transcript", "delta", "text", "session", "is_final", "duration"]
)  # fmt: skip
KINDS = st.sampled_from(
    ["Results", "Metadata", "Error", "config", "ready_to_stop", "error", "session.created",
     "transcription.delta", "transcription.done",
     "conversation.item.input_audio_transcription.completed", "SERVER_READY", "WAIT"]
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no finding
@given(messages=st.lists(st.dictionaries(FIELDS, JSON | KINDS, max_size=5), max_size=4))
def test_whatever_a_server_says_is_understood_or_an_error_of_ours(messages: list[dict[str, Any]]) -> None:
    asked = Asked(name="whisper", key="", model="base", language="uk")
    for scheme, make_call in CALLS.items():
        conversation = make_call(address(f"{scheme}://host"), asked).conversation
        conversation.open()
        try:
            for message in messages:
                conversation.receive(json.dumps(message), 1.0)
        except SttError:
            continue


async def test_a_wrong_key_is_an_authentication_error_that_does_not_quote_it() -> None:
    async with SocketServer(SCRIPTS["whisperlive+ws"], key="right") as server:
        with pytest.raises(SttAuthenticationError) as caught:
            await heard(server, "whisperlive+ws", api_key="sk-wrong")
        assert "sk-wrong" not in str(caught.value)
        assert (await heard(server, "whisperlive+ws", api_key="right"))[-1].text == TEXT


async def test_a_server_that_is_not_there_is_a_connect_error() -> None:
    async with SocketServer(hangs) as server:
        port = server.port
    provider = server_at(address(f"deepgram+ws://127.0.0.1:{port}"))
    with pytest.raises(SttConnectError, match="is the server running"):
        await provider.start()


async def test_tls_with_a_server_that_speaks_none_says_so() -> None:
    async with FakeWhisperServer() as server:
        provider = server_at(address(server.url.replace("http://", "deepgram+wss://")))
        with pytest.raises(SttConnectError, match="no TLS with"):
            await provider.start()


async def test_what_speaks_no_websocket_is_a_protocol_error() -> None:
    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.internal ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    provider = server_at(address(f"deepgram+ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    with pytest.raises(SttProtocolError, match="no WebSocket"):
        await provider.open(UK)
    server.close()


async def test_a_goodbye_counts_although_the_server_keeps_its_end_open() -> None:
    """It does not read what we still send, so it never learns that we have said goodbye as well."""
    was_heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hear()
        peer.connection.transport.pause_reading()
        peer.connection.protocol.send_close(1011, "out of memory")
        for data in peer.connection.protocol.data_to_send():
            peer.connection.transport.write(data)
        await was_heard.wait()
        peer.connection.transport.resume_reading()

    async with SocketServer(script) as server:
        with pytest.raises(SttStreamError) as caught:
            await heard(server, "deepgram+ws", final_seconds=30.0)
        was_heard.set()
    assert type(caught.value) is SttStreamError
    assert 'close code 1011 ("out of memory")' in str(caught.value)


async def test_a_stream_of_a_provider_that_was_given_back_fails() -> None:
    async with SocketServer(hangs) as server:
        provider = server_at(address(f"deepgram+ws://127.0.0.1:{server.port}"))
        stream = await provider.open(UK)
        await provider.aclose()
        with pytest.raises(SttStreamError, match="given back"):
            _ = [result async for result in stream]
