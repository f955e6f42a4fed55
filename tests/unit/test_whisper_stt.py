"""The client of a Whisper server: what is posted, and what every bad answer becomes."""

import asyncio
import io
import math
import socket
import ssl
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttOverloadedError,
    SttProtocolError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.ports import reserved_port
from slukh.stt.base import Rejection, StreamConfig
from slukh.stt.whisper.http import HttpDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.testing.whisper_server import Answer, Closes, FakeWhisperServer, Hangs, Says, Status
from slukh.types import AudioChunk

UK, RU = "uk-UA", "ru-RU"
PCM = bytes(range(256)) * 250  # 4 s
KEY = "sk-very-secret"


def over_http(server: FakeWhisperServer, **options: Any) -> WhisperProvider:
    return WhisperProvider(HttpDecoder(server.url, **options), model="whisper-1")


async def transcribed(provider: WhisperProvider, **config: Any) -> list[Any]:
    stream = await provider.open(StreamConfig(**{"language_code": UK, **config}))
    try:
        await stream.send(AudioChunk(pcm=PCM))
        await stream.end()
        async with asyncio.timeout(5):
            return [result async for result in stream]
    finally:
        await stream.close()


async def failure(answers: list[Answer], **options: Any) -> SttError:
    async with FakeWhisperServer(answers) as server:
        provider = over_http(server, **options)
        try:
            with pytest.raises(SttError) as caught:
                await transcribed(provider)
        finally:
            await provider.aclose()
    return caught.value


async def test_an_utterance_is_posted_whole_as_the_servers_understand_it() -> None:
    async with FakeWhisperServer([Says("Добрий день.", language="ukrainian")]) as server:
        provider = over_http(server, api_key=KEY, model="large-v3")
        await provider.start()
        results = await transcribed(provider, phrase_hints=("шини", "диски"))
        await provider.aclose()
    (final,) = results
    assert (final.text, final.is_final, final.language_code) == ("Добрий день.", True, UK)
    assert final.confidence == pytest.approx(math.exp(-0.25))
    (request,) = server.received
    assert request.form == {
        "model": "large-v3",
        "language": "uk",
        "response_format": "verbose_json",
        "temperature": "0",
        "prompt": "шини, диски",
    }
    assert request.authorization == f"Bearer {KEY}"
    assert request.filename == "utterance.wav"
    with wave.open(io.BytesIO(request.audio)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        assert file.readframes(file.getnframes()) == PCM


async def test_without_key_and_hints_neither_is_sent() -> None:
    async with FakeWhisperServer() as server:
        provider = over_http(server)
        await transcribed(provider)
        await provider.aclose()
    assert server.received[0].authorization is None
    assert "prompt" not in server.received[0].form


async def test_the_likelier_of_two_languages_is_forced() -> None:
    async with FakeWhisperServer([Says("Да.", language="ru")]) as server:
        provider = over_http(server)
        config = {"alternative_language_codes": (RU,), "language_prior": {UK: 0.2, RU: 0.8}}
        (final,) = await transcribed(provider, **config)
        await provider.aclose()
    assert server.received[0].form["language"] == "ru"
    assert final.language_code == RU


@pytest.mark.parametrize(
    ("answer", "error", "sentence"),
    [
        (Status(401), SttAuthenticationError, "WHISPER_API_KEY"),
        (Status(403), SttAuthenticationError, "WHISPER_API_KEY"),
        (Status(404, "<html>not here</html>", "text/html"), SttRequestError, "/v1/audio/transcriptions"),
        (Status(405), SttRequestError, "/v1/audio/transcriptions"),
        (Status(307), SttRequestError, "check path"),
        (Status(400, '{"detail": "bad language"}'), SttRequestError, "bad language"),
        (Status(422, '{"detail": [{"loc": ["body"]}]}'), SttRequestError, "422"),
        (Status(413), SttRequestError, "413"),
        (Status(429), SttOverloadedError, "no room"),
        (Status(503, "busy", "text/plain"), SttOverloadedError, "no room"),
        (Status(503, '{"status": "loading model"}'), SttOverloadedError, "loading model"),
        (Status(500, "Internal Server Error", "text/plain"), SttStreamError, "500"),
        (Status(502), SttStreamError, "502"),
        (Status(204, ""), SttProtocolError, "204"),
        (Status(200, "<html>welcome</html>", "text/html"), SttProtocolError, "is this a Whisper server"),
        (Status(200, "[]"), SttProtocolError, "is this a Whisper server"),
        (Status(200, "x" * (5 << 20)), SttProtocolError, "4 MiB"),
        (Says("Привет.", language="ru"), SttLanguageError, "uk-UA was asked"),
        (Closes(), SttStreamError, "without an answer"),
    ],
)
async def test_every_bad_answer_is_its_own_error_with_a_remedy(
    answer: Any, error: Any, sentence: str
) -> None:
    caught = await failure([answer])
    assert type(caught) is error
    assert sentence in str(caught)
    assert "\n" not in str(caught)


async def test_a_server_that_hangs_is_given_up_and_its_connection_closed() -> None:
    async with FakeWhisperServer([Hangs()]) as server:
        provider = over_http(server, total_seconds=0.2)
        with pytest.raises(SttTimeoutError, match=r"0\.2 s"):
            await transcribed(provider)
        async with asyncio.timeout(2):
            await server.left.wait()
        await provider.aclose()


async def test_a_server_that_is_not_there_is_a_connect_error() -> None:
    with reserved_port() as port:
        provider = WhisperProvider(HttpDecoder(f"http://127.0.0.1:{port}"), model="whisper-1")
        with pytest.raises(SttConnectError, match="is the server running"):
            await transcribed(provider)
        with pytest.raises(SttConnectError):
            await provider.start()
        await provider.aclose()


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whisper.internal")])
    began = datetime(2026, 1, 1, tzinfo=UTC)
    until = began + timedelta(days=36500)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, began, until)
    certificate = builder.sign(key, hashes.SHA256())
    pem = folder / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


async def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(close, "127.0.0.1", 0, ssl=self_signed(tmp_path)) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        provider = WhisperProvider(HttpDecoder(url), model="whisper-1")
        with pytest.raises(SttConnectError, match=r"self.signed certificate.*SSL_CERT_FILE"):
            await provider.start()
        await provider.aclose()


async def test_a_server_that_speaks_no_tls_is_said_to() -> None:
    async with FakeWhisperServer() as server:
        url = server.url.replace("http://", "https://")
        provider = WhisperProvider(HttpDecoder(url), model="whisper-1")
        with pytest.raises(SttConnectError, match="no TLS"):
            await provider.start()
        await provider.aclose()


async def test_closing_a_stream_closes_its_connection() -> None:
    async with FakeWhisperServer([Hangs()]) as server:
        provider = over_http(server)
        stream = await provider.open(StreamConfig(language_code=UK))
        await stream.send(AudioChunk(pcm=PCM))
        await stream.end()
        async with asyncio.timeout(2):
            await server.arrived.wait()
            await stream.close()
            await server.left.wait()
        await provider.aclose()


async def test_a_slow_answer_does_not_hold_up_another_utterance() -> None:
    late = asyncio.Event()
    async with FakeWhisperServer([Says("Пізно.", after=late), Says("Вчасно.")]) as server:
        provider = over_http(server)
        first = asyncio.create_task(transcribed(provider))
        async with asyncio.timeout(2):
            await server.arrived.wait()
        assert (await transcribed(provider))[-1].text == "Вчасно."
        late.set()
        assert (await first)[-1].text == "Пізно."
        await provider.aclose()


async def test_the_key_is_in_no_error_and_no_repr() -> None:
    echo = Status(401, f'{{"error": {{"message": "Incorrect API key provided: {KEY}"}}}}')
    caught = await failure([echo], api_key=KEY)
    decoder = HttpDecoder("http://127.0.0.1:1", api_key=KEY)
    assert "Incorrect API key" in str(caught)
    for said in (str(caught), repr(caught), repr(decoder), str(decoder)):
        assert KEY not in said
    await decoder.aclose()


async def test_start_sees_whether_the_server_takes_the_key() -> None:
    async with FakeWhisperServer(api_key=KEY) as server:
        wrong = over_http(server, api_key="sk-wrong")
        with pytest.raises(SttAuthenticationError):
            await wrong.start()
        with pytest.raises(SttAuthenticationError):
            await transcribed(wrong)
        right = over_http(server, api_key=KEY)
        await right.start()
        assert (await transcribed(right))[-1].text == "Добрий день."
        await wrong.aclose()
        await right.aclose()


async def test_start_does_not_wait_as_long_as_a_patient_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        provider = WhisperProvider(HttpDecoder(url, total_seconds=600, start_seconds=0.2), model="whisper-1")
        with pytest.raises(SttTimeoutError, match=r"no answer in 0\.2 s: is it a Whisper server"):
            await provider.start()
        await provider.aclose()


async def test_a_server_without_a_list_of_models_starts_too() -> None:
    async with FakeWhisperServer() as server:
        provider = WhisperProvider(HttpDecoder(server.url + "/elsewhere"), model="whisper-1")
        await provider.start()
        with pytest.raises(SttRequestError, match="/elsewhere/v1/audio/transcriptions"):
            await transcribed(provider)
        await provider.aclose()


async def test_a_provider_that_was_given_back_fails_its_streams() -> None:
    async with FakeWhisperServer() as server:
        provider = over_http(server)
        await provider.aclose()
        await provider.aclose()
        with pytest.raises(SttStreamError):
            await transcribed(provider)


async def test_an_invention_of_a_server_is_refused_too() -> None:
    async with FakeWhisperServer([Says("Субтитры сделал DimaTorzok", language="uk")]) as server:
        provider = over_http(server)
        rejection, final = await transcribed(provider)
        await provider.aclose()
    assert (rejection, final.text) == (Rejection(reason="phrase"), "")
