"""The real Whisper base in its child process: it hears, and it may die without taking a call along."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.patience import HUNG_SECONDS

import slukh.stt
from slukh.errors import SettingsError, SttOverloadedError, SttStreamError, SttTimeoutError, WeightsError
from slukh.experiment.wer import character_errors, plain_text
from slukh.stt.base import Hypothesis, Rejection, StreamConfig
from slukh.stt.whisper.decoding import DecodeRequest, Kind
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.types import AudioChunk
from slukh.weights import find_whisper, weights_dir

CLIPS = Path(slukh.stt.__file__).parent / "clips"
CHUNK = 1600  # 100 ms
UK, RU = "uk-UA", "ru-RU"

pytest.importorskip("ctranslate2", reason="LOCAL WHISPER IS NOT TESTED: install slukh[whisper]")


@pytest.fixture(scope="module")
def base() -> Path:
    try:
        return find_whisper(Path(os.environ.get("SLUKH_WEIGHTS_DIR", weights_dir())), "base")
    except WeightsError as error:
        pytest.skip(f"LOCAL WHISPER IS NOT TESTED: {error}")


@asynccontextmanager
async def decoder_of(path: Path, **options: Any) -> AsyncIterator[LocalDecoder]:
    patient = {"decode_seconds": HUNG_SECONDS, "request_seconds": HUNG_SECONDS}
    decoder = LocalDecoder(path, threads=1, **patient | options)
    await decoder.start()
    try:
        yield decoder
    finally:
        await decoder.aclose()


def clip(language_code: str) -> tuple[bytes, str]:
    with wave.open(str(CLIPS / f"{language_code}.wav")) as file:
        return file.readframes(file.getnframes()), (CLIPS / f"{language_code}.txt").read_text("utf-8")


async def transcribed(
    provider: WhisperProvider,
    pcm: bytes,
    *,
    pause: Callable[[], Awaitable[None]] | None = None,
    **config: Any,
) -> list[Any]:
    """What is heard of an utterance that is sent in pieces of 100 ms, with a pause after each."""
    stream = await provider.open(StreamConfig(**{"language_code": UK, **config}))

    async def speak() -> None:
        for start in range(0, len(pcm), CHUNK):
            await stream.send(AudioChunk(pcm=pcm[start : start + CHUNK]))
            await asyncio.sleep(0)
            if pause is not None:
                await pause()
        await stream.end()

    async with asyncio.timeout(HUNG_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(speak())
        results = [result async for result in stream]
    await stream.close()
    return results


def hears(reference: str, text: str) -> bool:
    """Most letters are right. Words differ from processor to processor: int8 sums are not rounded alike."""
    rate = character_errors(plain_text(reference), plain_text(text)).cer
    assert rate is not None
    return rate <= 0.35


def pid_of(decoder: LocalDecoder) -> int:
    assert decoder.child_pid is not None
    return decoder.child_pid


def final_request(pcm: bytes, kind: Kind = "final", **fields: Any) -> DecodeRequest:
    return DecodeRequest(pcm=pcm, **{"kind": kind, "language_code": UK, "max_new_tokens": 40, **fields})


def wait_until_dead(pid_fd: int) -> bool:
    readable, _, _ = select.select([pid_fd], [], [], HUNG_SECONDS)
    os.close(pid_fd)
    return bool(readable)


@pytest.mark.parametrize("language_code", [UK, RU])
async def test_a_caller_is_understood(base: Path, language_code: str) -> None:
    pcm, reference = clip(language_code)
    async with decoder_of(base) as decoder:
        provider = WhisperProvider(decoder, model="base")
        (final,) = await transcribed(provider, pcm, language_code=language_code, interim_results=False)
    assert final.language_code == language_code
    assert hears(reference, final.text)
    assert 0.3 < final.confidence <= 1.0


async def test_interims_come_while_the_caller_speaks_and_take_nothing_back(base: Path) -> None:
    pcm, reference = clip(UK)
    async with decoder_of(base) as decoder:
        provider = WhisperProvider(decoder, model="base")

        async def until_decoded() -> None:
            """The caller never speaks faster than Whisper can follow on this machine."""
            while decoder._in_flight:  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)

        *interims, final = await transcribed(provider, pcm, pause=until_decoded)
    assert len(interims) >= 3
    stable = ""
    for interim in interims:
        assert not interim.is_final
        assert interim.text.startswith(stable)
        assert interim.stable_length >= len(stable)
        stable = interim.text[: interim.stable_length]
    assert stable
    assert hears(reference, final.text)


async def test_of_two_allowed_languages_the_spoken_one_is_taken(base: Path) -> None:
    pcm, reference = clip(RU)
    async with decoder_of(base) as decoder:
        provider = WhisperProvider(decoder, model="base")
        (final,) = await transcribed(provider, pcm, alternative_language_codes=(RU,), interim_results=False)
    assert final.language_code == RU
    assert set(final.language_probabilities) == {UK, RU}
    assert sum(final.language_probabilities.values()) == pytest.approx(1.0)
    assert hears(reference, final.text)


async def test_phrase_hints_reach_the_model(base: Path) -> None:
    pcm, _ = clip(UK)
    async with decoder_of(base) as decoder:
        request = final_request(pcm)
        plain = await decoder.decode(request)
        hinted = await decoder.decode(final_request(pcm, phrase_hints=("SHYNOMONTAZH", "KOLESA")))
    assert plain.avg_logprob != hinted.avg_logprob


async def test_silence_that_was_taken_for_voice_gives_no_invented_text(base: Path) -> None:
    async with decoder_of(base) as decoder:
        provider = WhisperProvider(decoder, model="base")
        results = await transcribed(provider, bytes(2 * 8000 * 5), interim_results=False)
    assert isinstance(results[0], Rejection)
    assert [r.text for r in results if isinstance(r, Hypothesis)] == [""]


async def test_a_text_is_cut_at_its_token_cap_and_says_so(base: Path) -> None:
    pcm, _ = clip(UK)
    async with decoder_of(base) as decoder:
        capped = await decoder.decode(final_request(pcm, max_new_tokens=5))
        whole = await decoder.decode(final_request(pcm, max_new_tokens=60))
    assert (capped.token_limit_hit, whole.token_limit_hit) == (True, False)
    assert whole.text.startswith(capped.text[:5])
    assert len(whole.text) > 2 * len(capped.text)


async def test_a_child_killed_in_mid_decode_fails_that_attempt_and_serves_the_next(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pcm, reference = clip(UK)
    async with decoder_of(base) as decoder:
        long = final_request(pcm * 5, max_new_tokens=200)
        first, waiting = (asyncio.create_task(decoder.decode(one)) for one in (long, final_request(pcm)))
        await asyncio.sleep(0.1)  # into the decode, which takes many times as long
        killed = pid_of(decoder)
        restarts: list[int] = []
        decoder.on_restart = lambda: restarts.append(killed)
        os.kill(killed, signal.SIGKILL)
        with pytest.raises(SttStreamError, match=r"died \(signal 9\)"):
            await first
        assert hears(reference, (await waiting).text)
        assert decoder.child_pid != killed
        assert restarts == [killed]
    assert [r.message for r in caplog.records] == ["whisper_child_died", "whisper_child_restarted"]


async def test_a_child_that_hangs_is_killed_and_replaced(base: Path) -> None:
    pcm, _ = clip(UK)
    async with decoder_of(base, decode_seconds=1.0) as decoder:
        hung = pid_of(decoder)
        os.kill(hung, signal.SIGSTOP)
        with pytest.raises(SttTimeoutError, match="hung"):
            await decoder.decode(final_request(pcm[:16000]))
        decoder._decode_seconds = HUNG_SECONDS  # the next one works, as slowly as the machine
        assert (await decoder.decode(final_request(pcm[:16000]))).text
        assert decoder.child_pid != hung


async def test_a_request_that_waits_too_long_times_out_and_leaves_the_queue(base: Path) -> None:
    async with decoder_of(base, request_seconds=0.2) as decoder:
        os.kill(pid_of(decoder), signal.SIGSTOP)
        requests = [asyncio.create_task(decoder.decode(final_request(bytes(16000)))) for _ in range(3)]
        await asyncio.wait(requests, timeout=0.1)
        assert decoder.queue_age_seconds > 0.05
        for error in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(error, SttTimeoutError)
        assert decoder.queue_age_seconds == 0.0


async def test_a_newer_interim_takes_the_place_of_one_that_waits(base: Path) -> None:
    async with decoder_of(base) as decoder:
        pcm = bytes(16000)
        busy = asyncio.create_task(decoder.decode(final_request(pcm)))
        older = asyncio.create_task(decoder.decode(final_request(pcm, "interim", stream=7)))
        await asyncio.sleep(0)
        newer = asyncio.create_task(decoder.decode(final_request(pcm, "interim", stream=7)))
        with pytest.raises(SttOverloadedError, match="newer interim"):
            await older
        await busy
        await newer


async def test_of_two_workers_one_is_kept_for_finals(base: Path) -> None:
    order: list[str] = []

    async def decode(kind: Kind, stream: int, pcm: bytes) -> None:
        await decoder.decode(final_request(pcm, kind, stream=stream))
        order.append(kind)

    async with decoder_of(base, workers=2) as decoder:
        pcm, _ = clip(UK)
        interims = [asyncio.create_task(decode("interim", stream, pcm)) for stream in (1, 2)]
        await asyncio.sleep(0)
        await decode("final", 3, bytes(16000))
        await asyncio.gather(*interims)
    assert order.index("final") < 2, "the second interim waited for the final"


async def test_ten_callers_at_once_all_get_their_final(base: Path) -> None:
    pcm, _ = clip(UK)
    async with decoder_of(base, workers=2) as decoder:
        provider = WhisperProvider(decoder, model="base")
        calls = [transcribed(provider, pcm[:40000], interim_results=False) for _ in range(10)]
        results = await asyncio.gather(*calls)
    texts = {results[-1].text for results in results}
    assert len(texts) == 1
    assert texts != {""}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_for_the_whole_gateway_does_not_end_the_child(
    base: Path, number: signal.Signals
) -> None:
    async with decoder_of(base) as decoder:
        child = pid_of(decoder)
        os.kill(child, number)
        await decoder.decode(final_request(bytes(16000)))
        assert pid_of(decoder) == child


async def test_closing_ends_the_child_and_fails_what_is_asked(base: Path) -> None:
    async with decoder_of(base) as decoder:
        child = os.pidfd_open(pid_of(decoder))
        request = asyncio.create_task(decoder.decode(final_request(bytes(16000))))
        await asyncio.sleep(0)
        await decoder.aclose()
        with pytest.raises(SttStreamError, match="stopped"):
            await request
        with pytest.raises(SttStreamError, match="not running"):
            await decoder.decode(final_request(bytes(16000)))
        assert wait_until_dead(child)


def test_the_child_dies_with_a_gateway_that_was_killed(base: Path) -> None:
    gateway = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from slukh.stt.whisper.local import LocalDecoder\n"
        "async def main():\n"
        "    decoder = LocalDecoder(Path(sys.argv[1]))\n"
        "    await decoder.start()\n"
        "    print(decoder.child_pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", gateway, str(base)], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            child = os.pidfd_open(int(process.stdout.readline()))
        finally:
            process.kill()
    assert wait_until_dead(child)


async def test_an_arithmetic_that_the_machine_lacks_is_refused_with_those_it_has(base: Path) -> None:
    decoder = LocalDecoder(base, compute_type="int3")
    with pytest.raises(SettingsError, match=r"SLUKH_WHISPER_COMPUTE_TYPE to one of .*int8"):
        await decoder.start()
    await decoder.aclose()


@pytest.mark.parametrize("files", [(), ("tokenizer.json",), ("tokenizer.json", "config.json", "model.bin")])
async def test_a_folder_that_is_no_model_is_refused_at_start_with_the_remedy(
    tmp_path: Path, files: tuple[str, ...]
) -> None:
    for name in files:
        (tmp_path / name).write_text("not a model")
    decoder = LocalDecoder(tmp_path)
    with pytest.raises(WeightsError, match="slukh weights get"):
        await decoder.start()
    await decoder.aclose()
