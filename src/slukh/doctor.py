"""Is this machine ready? Looks at one thing after the other, within 10 s, and says what to do."""

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass

import httpx

from slukh.assembly import Parts, build_parts
from slukh.config import FeatureFlagSettings, Settings, WhisperSettings, load
from slukh.cost.ledger import Ledger
from slukh.errors import SlukhError, SttError, UserError
from slukh.experiment.wer import plain_text, word_errors
from slukh.routing.health import hear_clip, stored_clips
from slukh.weights import find_silero, find_whisper

RECOGNISER_SECONDS = 8.0
_LEAST_FREE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: settings, weights, disk, ports or recogniser.
        ok: whether calls can be taken as far as this goes.
        detail: what was found.
        remedy: what to do, when it is not ok.
    """

    check: str
    ok: bool
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        return asdict(self)


async def examine() -> list[Finding]:
    """Everything that a gateway with these settings needs."""
    try:
        flags, whisper, settings = load(FeatureFlagSettings), load(WhisperSettings), load(Settings)
    except UserError as error:
        return [Finding(check="settings", ok=False, detail=error.problem, remedy=error.remedy)]
    languages = ", ".join((settings.slukh_language, *settings.slukh_alternative_languages))
    where = whisper.whisper_api_url or "a child process"
    findings = [
        Finding(
            check="settings",
            ok=True,
            detail=f"{flags.ff_stt_provider} {whisper.whisper_model_size} in {where}, language {languages}",
        ),
        *_weights(whisper, settings),
        *_disk(settings),
        _port("AudioSocket", settings.slukh_audiosocket_host, settings.slukh_audiosocket_port,
              "SLUKH_AUDIOSOCKET_PORT", running=await _is_running(settings)),
        _port("HTTP", settings.slukh_http_host, settings.slukh_http_port, "SLUKH_HTTP_PORT",
              running=await _is_running(settings)),
    ]  # fmt: skip
    if all(finding.ok for finding in findings if finding.check == "weights"):
        findings.append(await _recogniser(flags, whisper, settings))
    return findings


def _weights(whisper: WhisperSettings, settings: Settings) -> Iterator[Finding]:
    root = settings.slukh_weights_dir
    try:
        yield Finding(check="weights", ok=True, detail=f"silero: {find_silero(root)}")
        if not whisper.whisper_api_url:
            yield Finding(
                check="weights", ok=True, detail=f"whisper: {find_whisper(root, whisper.whisper_model_size)}"
            )
    except UserError as error:
        yield Finding(check="weights", ok=False, detail=error.problem, remedy=error.remedy)


def _disk(settings: Settings) -> Iterator[Finding]:
    folder = settings.slukh_data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Finding(
            check="disk", ok=False, detail=f"{folder}: {error.strerror}",
            remedy="make it writable, or set SLUKH_DATA_DIR",
        )  # fmt: skip
        return
    yield Finding(
        check="disk", ok=free >= _LEAST_FREE_BYTES, detail=f"{folder}: {free / 1e9:.1f} GB free",
        remedy="free some space: usage rows must not be lost",
    )  # fmt: skip
    try:
        Ledger(settings.ledger_url).close()
        yield Finding(check="disk", ok=True, detail="the ledger opens")
    except UserError as error:
        yield Finding(check="disk", ok=False, detail=error.problem, remedy=error.remedy)


async def _is_running(settings: Settings) -> bool:
    """Whether a gateway answers on the HTTP port."""
    url = f"http://{settings.slukh_http_host}:{settings.slukh_http_port}/healthz"
    with contextlib.suppress(httpx.HTTPError, ValueError):
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:
            return bool((await client.get(url)).json() == {"status": "alive"})
    return False


def _port(name: str, host: str, port: int, setting: str, *, running: bool) -> Finding:
    try:
        with socket.create_server((host, port)):
            return Finding(check="ports", ok=True, detail=f"{name} {host}:{port} is free")
    except OSError as error:
        if running:
            return Finding(check="ports", ok=True, detail=f"{name} {host}:{port}: a gateway is running")
        return Finding(
            check="ports", ok=False, detail=f"{name} {host}:{port}: {error.strerror}",
            remedy=f"stop what uses it, or set {setting}",
        )  # fmt: skip


async def _recogniser(flags: FeatureFlagSettings, whisper: WhisperSettings, settings: Settings) -> Finding:
    """Whether it hears the stored clip of the calls' language."""
    try:
        async with (
            asyncio.timeout(RECOGNISER_SECONDS),
            _started(build_parts(flags, whisper, settings)) as parts,
        ):
            clips = stored_clips()
            clip = next((c for c in clips if c.language_code == settings.slukh_language), clips[0])
            heard = await hear_clip(parts.serving, clip, timeout_seconds=RECOGNISER_SECONDS)
    except TimeoutError:
        return Finding(
            check="recogniser", ok=False, detail=f"no answer within {RECOGNISER_SECONDS:.0f} s",
            remedy="a smaller WHISPER_MODEL_SIZE, more SLUKH_WHISPER_THREADS, or a server by WHISPER_API_URL",
        )  # fmt: skip
    except UserError as error:
        return Finding(check="recogniser", ok=False, detail=error.problem, remedy=error.remedy)
    except SttError as error:
        remedy = f"check WHISPER_API_URL, WHISPER_API_KEY and WHISPER_MODEL_SIZE ({error.error_type})"
        return Finding(check="recogniser", ok=False, detail=error.detail, remedy=remedy)
    except SlukhError as error:
        return Finding(check="recogniser", ok=False, detail=str(error), remedy="see the log")
    wer = word_errors(plain_text(clip.text), plain_text(heard.text)).wer or 0.0
    return Finding(
        check="recogniser", ok=bool(heard.text),
        detail=f"heard the {clip.language_code} clip in {heard.final_seconds:.2f} s, {wer:.0%} words wrong",
        remedy="it gave no text for clear speech: another model, or another server",
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _started(parts: Parts) -> AsyncIterator[Parts]:
    try:
        await parts.start()
        yield parts
    finally:
        await parts.aclose()
