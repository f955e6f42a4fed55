"""The client against a real Whisper server: PyPI's faster-whisper-server with the base weights, on loopback.

`make test-servers` runs this. The server gets an environment of its own under the user's cache, made once.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
import venv
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import platformdirs
import pytest

import slukh.stt
from slukh.errors import SttConnectError, SttRequestError, SttStreamError, WeightsError
from slukh.experiment.wer import character_errors, plain_text
from slukh.stt.base import Rejection, StreamConfig
from slukh.stt.whisper.http import HttpDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.types import AudioChunk
from slukh.weights import find_whisper, weights_dir

pytestmark = pytest.mark.servers

# PyAV 19 dropped an argument that faster-whisper 1.2.1 uses to open files.
REQUIREMENTS = ("faster-whisper-server==0.0.3", "faster-whisper==1.2.1", "ctranslate2==4.8.5", "av==18.1.0")
CLIPS = Path(slukh.stt.__file__).parent / "clips"
UK, RU = "uk-UA", "ru-RU"


@pytest.fixture(scope="module")
def program() -> Path:
    python = f"py{sys.version_info.major}{sys.version_info.minor}"
    folder = platformdirs.user_cache_path("slukh") / "test-servers" / f"faster-whisper-server-0.0.3-{python}"
    ready = folder / "ready"
    if not ready.is_file() or ready.read_text() != "\n".join(REQUIREMENTS):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
        installed = subprocess.run(pip, capture_output=True, text=True, timeout=900, check=False)
        if installed.returncode != 0:
            last_line = (installed.stderr.strip().splitlines() or ["pip failed"])[-1]
            pytest.skip(
                f"NO REAL WHISPER SERVER IS TESTED: {REQUIREMENTS[0]} cannot be installed: {last_line}"
            )
        ready.write_text("\n".join(REQUIREMENTS))
    return folder / "bin" / "faster-whisper-server"


@pytest.fixture(scope="module")
def base() -> Path:
    try:
        return find_whisper(Path(os.environ.get("SLUKH_WEIGHTS_DIR", weights_dir())), "base")
    except WeightsError as error:
        pytest.skip(f"NO REAL WHISPER SERVER IS TESTED: {error}")


@contextmanager
def running(program: Path, model: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(program), str(model), "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_until_healthy(url, process)
            yield url, process
        finally:
            process.kill()


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended before it answered"
        try:
            if httpx.get(f"{url}/health", trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.2)  # another program's start has no event that we could wait for
    pytest.fail("the server did not become healthy in two minutes")


@pytest.fixture(scope="module")
def url(program: Path, base: Path) -> Iterator[str]:
    with running(program, base) as (address, _):
        yield address


def clip(language_code: str) -> tuple[bytes, str]:
    with wave.open(str(CLIPS / f"{language_code}.wav")) as file:
        return file.readframes(file.getnframes()), (CLIPS / f"{language_code}.txt").read_text("utf-8")


def provider_at(url: str) -> WhisperProvider:
    return WhisperProvider(HttpDecoder(url, model="base", total_seconds=60), model="base")


async def transcribed(provider: WhisperProvider, pcm: bytes, language_code: str = UK) -> list[Any]:
    stream = await provider.open(StreamConfig(language_code=language_code))
    for start in range(0, len(pcm), 1600):
        await stream.send(AudioChunk(pcm=pcm[start : start + 1600]))
    await stream.end()
    try:
        return [result async for result in stream]
    finally:
        await stream.close()


# Letters and not words: one word boundary moves with the processor's rounding and costs two words of eight.
@pytest.mark.parametrize("language_code", [UK, RU])
@pytest.mark.parametrize("path", ["", "/v1", "/v1/audio/transcriptions"])
async def test_a_caller_is_understood(url: str, language_code: str, path: str) -> None:
    pcm, reference = clip(language_code)
    provider = provider_at(url + path)
    await provider.start()
    (final,) = await transcribed(provider, pcm, language_code)
    await provider.aclose()
    said, heard = plain_text(reference), plain_text(final.text)
    assert (character_errors(said, heard).cer or 0.0) <= 0.35
    assert final.language_code == language_code
    assert 0.3 < final.confidence <= 1.0
    assert final.reported_ms == pytest.approx(len(pcm) / 16, abs=50)


async def test_callers_at_once_all_get_their_final(url: str) -> None:
    pcm, _ = clip(UK)
    provider = provider_at(url)
    results = await asyncio.gather(*(transcribed(provider, pcm) for _ in range(3)))
    await provider.aclose()
    assert len({result[-1].text for result in results}) == 1
    assert results[0][-1].text


async def test_silence_that_was_taken_for_voice_gives_no_invented_text(url: str) -> None:
    provider = provider_at(url)
    results = await transcribed(provider, bytes(2 * 8000 * 5))
    await provider.aclose()
    assert results[-1].text == ""
    assert len(results) == 1 or isinstance(results[0], Rejection)


async def test_a_wrong_path_is_refused_with_the_path(url: str) -> None:
    provider = provider_at(f"{url}/whisper")
    with pytest.raises(SttRequestError, match="/whisper/v1/audio/transcriptions"):
        await transcribed(provider, clip(UK)[0])
    await provider.aclose()


async def test_a_server_killed_in_mid_utterance_is_a_stream_error_and_then_not_there(
    program: Path, base: Path
) -> None:
    pcm, _ = clip(UK)
    with running(program, base) as (url, process):
        provider = provider_at(url)
        attempt = asyncio.create_task(transcribed(provider, pcm))
        await asyncio.sleep(0.3)  # into the decode, which takes longer
        process.kill()
        with pytest.raises(SttStreamError):
            await attempt
        process.wait()
        with pytest.raises(SttConnectError):
            await transcribed(provider, pcm)
        await provider.aclose()
