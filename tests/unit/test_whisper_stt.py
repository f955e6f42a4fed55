"""Whisper behind the recogniser contract: the policy over a scripted decoder, and the client of a server."""

import asyncio
import io
import math
import socket
import ssl
import wave
from dataclasses import replace
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
from slukh.stt.base import Hypothesis, Rejection, StreamConfig
from slukh.stt.language import SUPPORTED
from slukh.stt.whisper.decoding import DecodeRequest, DecoderLimits, Decoding, Kind
from slukh.stt.whisper.http import HttpDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.stream import WhisperStream
from slukh.testing.whisper_server import Answer, Closes, FakeWhisperServer, Hangs, Says, Status
from slukh.types import AudioChunk, samples_from_ms

UK, RU = "uk-UA", "ru-RU"
LOOP = "я вважаю, що " * 30


class ScriptedDecoder:
    """A decoder whose answers the test gives, when it wants to."""

    def __init__(
        self, *, interims: bool = True, speculative: bool = True, repetition_guard: bool = True
    ) -> None:
        self.limits = DecoderLimits(
            interims=interims,
            speculative=speculative,
            repetition_guard=repetition_guard,
            languages=frozenset(SUPPORTED),
        )
        self.requests: list[DecodeRequest] = []
        self.hastened: list[DecodeRequest] = []
        self.cancelled: list[DecodeRequest] = []
        self._futures: list[asyncio.Future[Decoding]] = []
        self._asked = asyncio.Condition()
        self.queue_age_seconds = 0.0

    async def start(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    def upload(self, request: DecodeRequest) -> None:
        return None

    def hasten(self, request: DecodeRequest) -> None:
        self.hastened.append(request)

    async def decode(self, request: DecodeRequest) -> Decoding:
        future: asyncio.Future[Decoding] = asyncio.get_running_loop().create_future()
        self.requests.append(request)
        self._futures.append(future)
        async with self._asked:
            self._asked.notify_all()
        try:
            return await future
        except asyncio.CancelledError:
            self.cancelled.append(request)
            raise

    async def asked(self, count: int) -> DecodeRequest:
        """The last request, once there are so many."""
        async with asyncio.timeout(2), self._asked:
            await self._asked.wait_for(lambda: len(self.requests) >= count)
        assert len(self.requests) == count
        return self.requests[-1]

    async def says(self, text: str, **fields: Any) -> None:
        """Answer the last request."""
        fields = {"avg_logprob": -0.5, "no_speech_probability": 0.05, "language_code": UK, **fields}
        self._futures[-1].set_result(Decoding(text=text, **fields))
        await settle()

    async def fails(self, error: Exception) -> None:
        self._futures[-1].set_exception(error)
        await settle()


class Utterance:
    """A stream, and whatever it has said."""

    def __init__(self, decoder: ScriptedDecoder, stream: WhisperStream) -> None:
        self.decoder = decoder
        self.stream = stream

    async def end(self) -> None:
        await self.stream.end()
        await settle()

    async def voice(self, ms: int) -> None:
        await self._send(ms, voiced=True)

    async def silence(self, ms: int) -> None:
        await self._send(ms, voiced=False)

    async def _send(self, ms: int, *, voiced: bool) -> None:
        for _ in range(0, ms, 20):
            await self.stream.send(AudioChunk(pcm=bytes(2 * samples_from_ms(20)), voiced=voiced))
            await settle()

    async def results(self) -> list[Any]:
        async with asyncio.timeout(2):
            return [result async for result in self.stream]


async def settle() -> None:
    """Let everything that can run, run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def utterance(
    decoder: ScriptedDecoder | None = None, *, metered: bool = False, **config: Any
) -> Utterance:
    decoder = decoder or ScriptedDecoder()
    provider = WhisperProvider(decoder, model="base", metered=metered)
    return Utterance(decoder, await provider.open(StreamConfig(**{"language_code": UK, **config})))


def kinds(decoder: ScriptedDecoder) -> list[Kind]:
    return [request.kind for request in decoder.requests]


def seconds_of(request: DecodeRequest) -> float:
    return round(request.audio_seconds, 2)


# Interims


async def test_the_first_interim_waits_for_800_ms_of_voice() -> None:
    call = await utterance()
    await call.voice(780)
    assert call.decoder.requests == []
    await call.voice(20)
    request = await call.decoder.asked(1)
    assert (request.kind, request.beam_size, request.no_repeat_ngram_size) == ("interim", 1, 3)
    assert (request.window_seconds, seconds_of(request)) == (10.0, 0.8)
    await call.stream.close()


async def test_the_next_interim_waits_for_the_last_one_and_for_400_ms_of_voice() -> None:
    call = await utterance()
    await call.voice(2000)
    assert len(call.decoder.requests) == 1
    await call.decoder.says("добрий")
    await call.voice(20)
    assert [seconds_of(r) for r in call.decoder.requests] == [0.8, 2.02]
    await call.decoder.says("добрий день")
    await call.voice(380)
    assert len(call.decoder.requests) == 2
    await call.voice(20)
    assert len(call.decoder.requests) == 3
    await call.stream.close()


async def test_no_interim_begins_in_a_pause_where_the_final_is_about_to() -> None:
    call = await utterance()
    await call.voice(1600)
    await call.decoder.says("добрий")
    await call.silence(180)
    assert kinds(call.decoder) == ["interim"]
    await call.silence(20)
    assert kinds(call.decoder) == ["interim", "speculative"]
    await call.stream.close()


async def test_an_interim_outgrows_its_window_with_a_margin() -> None:
    call = await utterance()
    await call.voice(800)
    await call.voice(7200)
    await call.decoder.says("добрий")
    await call.voice(20)
    assert call.decoder.requests[-1].window_seconds == pytest.approx(8.02 + 4.0)
    await call.stream.close()


async def test_interims_show_what_two_in_a_row_agree_on_and_never_take_it_back() -> None:
    call = await utterance()
    for text in ("добрий день", "добрий день мені", "доброго дня мені шини"):
        await call.voice(800)
        await call.decoder.says(text)
    await call.end()
    await call.decoder.says("Добрий день, мені шини.")
    *interims, final = await call.results()
    assert [(r.text, r.stable_length) for r in interims] == [
        ("добрий день", 0),
        ("добрий день мені", 11),
        ("добрий день мені шини", 16),
    ]
    assert not any(r.is_final for r in interims)
    assert final.text == "Добрий день, мені шини."


@pytest.mark.parametrize("text", ["", LOOP, "[музика]", "Субтитри"])
async def test_an_interim_that_nobody_said_is_not_shown(text: str) -> None:
    call = await utterance()
    await call.voice(800)
    await call.decoder.says(text)
    await call.end()
    await call.decoder.says("Добрий день.")
    assert [r.text for r in await call.results()] == ["Добрий день."]


async def test_an_interim_that_fails_is_passed_over() -> None:
    call = await utterance()
    await call.voice(800)
    await call.decoder.fails(SttStreamError("whisper", "died"))
    await call.voice(400)
    await call.decoder.says("добрий")
    await call.end()
    await call.decoder.says("Добрий.")
    assert [r.text for r in await call.results()] == ["добрий", "Добрий."]


async def test_a_running_interim_is_given_up_at_the_end_and_is_not_shown() -> None:
    call = await utterance()
    await call.voice(800)
    interim = await call.decoder.asked(1)
    await call.end()
    final = await call.decoder.asked(2)
    assert call.decoder.cancelled == [interim]
    assert final.kind == "final"
    await call.decoder.says("Добрий.")
    assert [r.text for r in await call.results()] == ["Добрий."]


@pytest.mark.parametrize(
    ("decoder", "options"),
    [
        ({"interims": False, "speculative": False}, {}),
        ({}, {"metered": True}),
    ],
)
async def test_a_server_or_a_metered_one_is_asked_once_per_utterance(
    decoder: dict[str, bool], options: Any
) -> None:
    call = await utterance(ScriptedDecoder(**decoder), **options)
    await call.voice(3000)
    await call.silence(500)
    await call.end()
    await call.decoder.asked(1)
    assert kinds(call.decoder) == ["final"]
    await call.stream.close()


async def test_interims_that_nobody_wants_are_not_decoded() -> None:
    call = await utterance(interim_results=False)
    await call.voice(3000)
    assert call.decoder.requests == []
    await call.stream.close()


# Finals


async def test_an_utterance_without_voice_is_an_empty_final_without_a_decode() -> None:
    call = await utterance()
    await call.silence(1000)
    await call.end()
    assert await call.results() == [Hypothesis(text="", is_final=True, language_code=UK)]
    assert call.decoder.requests == []


async def test_an_utterance_without_audio_is_an_empty_final() -> None:
    call = await utterance()
    await call.end()
    assert [r.text for r in await call.results()] == [""]


async def test_a_final_is_a_beam_of_five_over_thirty_seconds_with_a_token_cap() -> None:
    call = await utterance(phrase_hints=("шини", "розвал"))
    await call.voice(500)
    await call.end()
    request = await call.decoder.asked(1)
    assert (request.kind, request.beam_size, request.window_seconds) == ("final", 5, 30.0)
    assert (request.max_new_tokens, request.no_repeat_ngram_size) == (18, 0)
    assert request.phrase_hints == ("шини", "розвал")
    await call.stream.close()


async def test_confidence_is_the_exponential_of_the_mean_log_probability() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.", avg_logprob=-0.5, reported_ms=500)
    (final,) = await call.results()
    assert final.confidence == pytest.approx(math.exp(-0.5))
    assert (final.is_final, final.stable_length, final.reported_ms) == (True, 4, 500)


async def test_an_engine_without_scores_has_no_confidence() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.", avg_logprob=None, no_speech_probability=None)
    assert (await call.results())[0].confidence is None


async def test_200_ms_of_silence_begin_the_final_and_the_endpoint_takes_it() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(180)
    assert call.decoder.requests == []
    await call.silence(20)
    request = await call.decoder.asked(1)
    assert (request.kind, request.beam_size, request.window_seconds) == ("speculative", 5, 30.0)
    await call.decoder.says("Так.")
    await call.silence(300)
    await call.end()
    assert [r.text for r in await call.results()] == ["Так."]
    assert kinds(call.decoder) == ["speculative"]


async def test_a_speculation_that_still_runs_at_the_endpoint_is_hastened_and_awaited() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(500)
    request = await call.decoder.asked(1)
    await call.end()
    await settle()
    assert call.decoder.hastened == [request]
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]
    assert len(call.decoder.requests) == 1


async def test_voice_after_the_silence_makes_a_speculation_void() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(200)
    void = await call.decoder.asked(1)
    await call.decoder.says("Мені")
    await call.voice(20)
    await call.silence(200)
    again = await call.decoder.asked(2)
    assert seconds_of(again) > seconds_of(void)
    await call.decoder.says("Мені шини.")
    await call.end()
    assert [r.text for r in await call.results()] == ["Мені шини."]


async def test_a_void_speculation_that_still_runs_is_cancelled() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(200)
    void = await call.decoder.asked(1)
    await call.voice(20)
    await settle()
    assert call.decoder.cancelled == [void]
    await call.end()
    assert (await call.decoder.asked(2)).kind == "final"
    await call.stream.close()


async def test_a_speculation_that_failed_is_decoded_again_at_the_endpoint_and_hears_the_same() -> None:
    call = await utterance(interim_results=False)
    await call.voice(600)
    await call.silence(200)
    failed = await call.decoder.asked(1)
    await call.decoder.fails(SttStreamError("whisper", "died"))
    await call.silence(300)
    await call.end()
    final = await call.decoder.asked(2)
    assert final == replace(failed, kind="final")
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]


async def test_a_final_that_fails_is_raised_to_whoever_listens() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.fails(SttTimeoutError("whisper", "30 s"))
    with pytest.raises(SttTimeoutError):
        await call.results()


async def test_a_bug_in_a_decoder_does_not_leave_the_listener_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.fails(KeyError("text"))
    with pytest.raises(SttStreamError, match="KeyError"):
        await call.results()
    assert "decode_failed" in caplog.text


# The guard


async def test_a_loop_in_clear_voice_is_decoded_once_more_without_repetitions() -> None:
    call = await utterance(interim_results=False)
    await call.voice(2000)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says(LOOP)
    again = await call.decoder.asked(2)
    assert (again.kind, again.no_repeat_ngram_size) == ("final", 3)
    await call.decoder.says("Я вважаю, що так.")
    assert [r.text for r in await call.results()] == ["Я вважаю, що так."]


async def test_a_loop_that_stays_one_is_dropped() -> None:
    call = await utterance(interim_results=False)
    await call.voice(2000)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says(LOOP)
    await call.decoder.asked(2)
    await call.decoder.says(LOOP)
    rejection, final = await call.results()
    assert rejection == Rejection(reason="compression")
    assert final == Hypothesis(text="", is_final=True, language_code=UK)
    assert len(call.decoder.requests) == 2


async def test_the_second_try_of_a_speculation_is_hastened_at_the_endpoint() -> None:
    call = await utterance(interim_results=False)
    await call.voice(2000)
    await call.silence(200)
    await call.decoder.asked(1)
    await call.decoder.says(LOOP)
    again = await call.decoder.asked(2)
    assert again.kind == "speculative"
    await call.end()
    await settle()
    assert call.decoder.hastened == [again]
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]


@pytest.mark.parametrize(("options", "voiced_ms"), [({"repetition_guard": False}, 2000), ({}, 200)])
async def test_a_loop_is_not_tried_again_without_a_guard_or_without_clear_voice(
    options: Any, voiced_ms: int
) -> None:
    call = await utterance(ScriptedDecoder(**options), interim_results=False)
    await call.voice(voiced_ms)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("так", token_limit_hit=True)
    assert await call.results() == [
        Rejection(reason="repetition"),
        Hypothesis(text="", is_final=True, language_code=UK),
    ]


async def test_an_invention_is_a_rejection_and_an_empty_final() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Дякую за перегляд!")
    rejection, final = await call.results()
    assert (rejection, final.text, final.confidence) == (Rejection(reason="phrase"), "", None)


async def test_silence_around_the_voice_does_not_make_it_doubtful() -> None:
    call = await utterance(interim_results=False)
    await call.silence(300)
    await call.voice(400)
    await call.silence(2000)
    await call.decoder.asked(1)
    await call.decoder.says("Дякую.")
    await call.end()
    assert [r.text for r in await call.results()] == ["Дякую."]


async def test_scattered_crackle_is_doubted() -> None:
    call = await utterance(ScriptedDecoder(speculative=False), interim_results=False)
    for _ in range(6):
        await call.voice(60)
        await call.silence(180)
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Дякую.")
    assert (await call.results())[0] == Rejection(reason="phrase")


# Languages


async def test_two_languages_are_left_to_the_decoder_with_the_calls_prior() -> None:
    prior = {UK: 0.3, RU: 0.7}
    call = await utterance(alternative_language_codes=(RU,), language_prior=prior, interim_results=False)
    await call.voice(2000)
    await call.end()
    request = await call.decoder.asked(1)
    assert request.language_prior == prior
    await call.decoder.says("Да.", language_code=RU, language_probabilities={UK: 0.1, RU: 0.9})
    (final,) = await call.results()
    assert (final.language_code, final.language_probabilities) == (RU, {UK: 0.1, RU: 0.9})


async def test_a_prior_that_was_not_given_favours_the_calls_language() -> None:
    call = await utterance(alternative_language_codes=(RU,), interim_results=False)
    await call.voice(2000)
    await call.end()
    prior = (await call.decoder.asked(1)).language_prior
    assert prior[UK] == pytest.approx(5 * prior[RU])
    await call.stream.close()


async def test_less_than_two_seconds_of_voice_are_taken_in_the_favoured_language() -> None:
    call = await utterance(
        alternative_language_codes=(RU,), language_prior={UK: 0.2, RU: 0.8}, interim_results=False
    )
    await call.voice(1900)
    await call.end()
    request = await call.decoder.asked(1)
    assert (request.language_code, request.language_prior) == (RU, {})
    await call.stream.close()


async def test_one_language_is_forced() -> None:
    call = await utterance(language_code=RU, language_prior={RU: 1.0}, interim_results=False)
    await call.voice(3000)
    await call.end()
    request = await call.decoder.asked(1)
    assert (request.language_code, request.language_prior) == (RU, {})
    await call.stream.close()


@pytest.mark.parametrize("config", [{"language_code": "xx-YY"}, {"alternative_language_codes": ("uk",)}])
async def test_an_unknown_language_is_refused_before_anything_is_sent(config: Any) -> None:
    with pytest.raises(SttRequestError, match="unknown language"):
        await utterance(**config)


async def test_a_language_that_the_model_does_not_speak_is_refused() -> None:
    decoder = ScriptedDecoder()
    decoder.limits = DecoderLimits(
        interims=True, speculative=True, repetition_guard=True, languages=frozenset({"en-US"})
    )
    with pytest.raises(SttRequestError, match="does not speak uk-UA"):
        await utterance(decoder)


def test_a_provider_says_what_its_decoder_can_do() -> None:
    local = WhisperProvider(ScriptedDecoder(), model="base").capabilities
    assert (local.interim_results, local.metered, local.words, local.max_seconds) == (
        True,
        False,
        False,
        30.0,
    )
    assert {UK, RU, "en-US"} <= local.languages
    metered = WhisperProvider(ScriptedDecoder(), model="base", metered=True).capabilities
    assert (metered.interim_results, metered.metered) == (False, True)


# The contract's edges


async def test_end_twice_is_once() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    await call.end()
    await call.decoder.asked(1)
    await call.decoder.says("Так.")
    assert [r.text for r in await call.results()] == ["Так."]


async def test_audio_after_the_end_is_refused_and_after_close_ignored() -> None:
    call = await utterance()
    await call.voice(500)
    await call.end()
    with pytest.raises(SttRequestError, match="after the end"):
        await call.voice(20)
    await call.stream.close()
    await call.voice(20)


async def test_close_ends_the_iteration_and_cancels_what_runs() -> None:
    call = await utterance()
    await call.voice(800)
    request = await call.decoder.asked(1)
    reader = asyncio.create_task(call.results())
    await settle()
    await call.stream.close()
    await call.stream.close()
    await call.end()
    assert await reader == []
    assert call.decoder.cancelled == [request]


async def test_close_cancels_a_final_and_a_speculation() -> None:
    call = await utterance(interim_results=False)
    await call.voice(500)
    await call.silence(200)
    request = await call.decoder.asked(1)
    await call.end()
    await settle()
    await call.stream.close()
    assert call.decoder.cancelled == [request]
    assert await call.results() == []


async def test_an_utterance_longer_than_whispers_window_is_refused() -> None:
    call = await utterance(interim_results=False)
    second = AudioChunk(pcm=bytes(16000))
    for _ in range(30):
        await call.stream.send(second)
    with pytest.raises(SttRequestError, match="longer than 30 s"):
        await call.stream.send(AudioChunk(pcm=bytes(2)))
    await call.stream.close()


# A server


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
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    provider = WhisperProvider(HttpDecoder(url), model="whisper-1")
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
