"""Is this machine ready? Looks at one thing after the other and says what to do.

It takes 10 s at most, and longer only for a recogniser that is there and may be loading its model.
"""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from slukh.assembly.parts import build_parts, live_flags, recognisers
from slukh.cost.ledger.store import Ledger
from slukh.cost.pricing.price_book import PriceBook
from slukh.doctor_voice import examine_voice
from slukh.errors import ServiceError, SttError, SttTimeoutError, UserError
from slukh.experiment.canonical import canonical_text
from slukh.experiment.wer import word_errors
from slukh.ports import listen
from slukh.routing.health import Heard, has_its_words, hear_clip, stored_clips
from slukh.routing.pool import ServerPool
from slukh.routing.warming import Patience, hear_when_loaded
from slukh.settings.config import AllSettings, Settings, load_all
from slukh.stt.base import StreamConfig, SttProvider
from slukh.stt.remedies import remedy_for
from slukh.stt.whisper.servers import server_name
from slukh.types import AudioChunk, samples_from_ms
from slukh.weights import find_silero, find_whisper

RECOGNISER_SECONDS = 8.0
_LEAST_FREE_BYTES = 1 << 30
_QUOTED = 60  # characters of what was heard
_TOO_SLOW_HERE = "a smaller WHISPER_MODEL_SIZE, more SLUKH_WHISPER_THREADS, or a server by WHISPER_API_URL"
_TOO_SLOW_THERE = (
    "look into the server's own log: while it loads its model, wait, or give a longer --timeout; else give "
    "it a smaller model, or check WHISPER_API_URL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: settings, rollout, weights, disk, ports, recogniser, google, dialog, voice or phrases.
        ok: whether calls can be taken as far as this goes.
        detail: what was found.
        remedy: what to do, when it is not ok.
    """

    check: str
    ok: bool
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, object]:
        """Plain values, without a remedy where there is nothing to mend."""
        return asdict(self) | ({"remedy": ""} if self.ok else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How long the doctor looks.

    Attributes:
        timeout_seconds: a recogniser that is there and may be loading its model is waited for so long.
        progress: told what is waited for.
    """

    timeout_seconds: float = 60.0
    progress: Callable[[str], None] = lambda _doing: None


async def examine(look: Look = Look()) -> list[Finding]:
    """Everything that a gateway with these settings needs."""
    try:
        given = load_all()
        names = recognisers(given)
    except UserError as error:
        return [Finding(check="settings", ok=False, detail=error.problem, remedy=error.remedy)]
    whisper, settings = given.whisper, given.settings
    languages = ", ".join((settings.slukh_language, *settings.slukh_alternative_languages))
    where = whisper.whisper_api_url or "a child process"
    running = await _is_running(settings)
    ports = {
        "AudioSocket": (settings.slukh_audiosocket_host, settings.slukh_audiosocket_port),
        "HTTP": (settings.slukh_http_host, settings.slukh_http_port),
        "WebSocket": (settings.slukh_websocket_host, settings.slukh_websocket_port),
    }
    findings = [
        Finding(
            check="settings",
            ok=True,
            detail=f"{given.flags.ff_stt_provider}; Whisper {whisper.whisper_model_size} in {where}; "
            f"language {languages}",
        ),
        *_rollback(given),
        *_weights(given, names),
        *_disk(settings),
        _prices(given.cost.slukh_prices),
        *(_port(name, host, port, running) for name, (host, port) in ports.items() if port is not None),
    ]
    if all(finding.ok for finding in findings if finding.check == "weights"):
        findings += await _recognisers(given, look)
    findings += [Finding(**found._asdict()) for found in await examine_voice(given.voice)]
    return findings


def _rollback(given: AllSettings) -> Iterator[Finding]:
    """That Whisper gets no calls though somebody gave it some. It keeps no call from being taken."""
    rollback = live_flags(given).flags.rolled_back
    if rollback is not None:
        yield Finding(check="rollout", ok=True, detail=f"{rollback}; `slukh ab ramp` gives it calls again")


def _weights(given: AllSettings, names: Sequence[str]) -> Iterator[Finding]:
    """Those of the recognisers that calls may get."""
    root, whisper = given.settings.slukh_weights_dir, given.whisper
    wanted: dict[str, Callable[[], Path]] = {"silero": lambda: find_silero(root)}
    if "whisper" in names and not whisper.whisper_api_url:
        wanted["whisper"] = lambda: find_whisper(root, whisper.whisper_model_size)
    for name, find in wanted.items():
        try:
            yield Finding(check="weights", ok=True, detail=f"{name}: {find()}")
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


def _prices(name: str) -> Finding:
    try:
        entries = len(PriceBook.load(name).all_prices())
        return Finding(check="prices", ok=True, detail=f"{name}: {entries} prices")
    except UserError as error:
        return Finding(check="prices", ok=False, detail=error.problem, remedy=error.remedy)


async def _is_running(settings: Settings) -> bool:
    """Whether a gateway answers on the HTTP port."""
    url = f"http://{settings.slukh_http_host}:{settings.slukh_http_port}/healthz"
    with contextlib.suppress(httpx.HTTPError, ValueError):
        async with httpx.AsyncClient(timeout=1.0, trust_env=False) as client:
            return bool((await client.get(url)).json() == {"status": "alive"})
    return False


def _port(name: str, host: str, port: int, running: bool) -> Finding:
    try:
        with listen(host, port, name.upper()):
            return Finding(check="ports", ok=True, detail=f"{name} {host}:{port} is free")
    except ServiceError as error:
        if running:
            return Finding(check="ports", ok=True, detail=f"{name} {host}:{port}: a gateway is running")
        return Finding(check="ports", ok=False, detail=f"{name}: {error.problem}", remedy=error.remedy)


async def _recognisers(given: AllSettings, look: Look) -> list[Finding]:
    """Those that calls may get, and Google as soon as it is set up; side by side."""
    settings = given.settings
    # Our own deadlines must not be what ends the wait for a model that loads.
    usual = max(RECOGNISER_SECONDS, settings.slukh_final_seconds)
    longest = max(usual, look.timeout_seconds)
    given = given._replace(settings=settings.model_copy(update={"slukh_final_seconds": longest}))
    try:
        parts = build_parts(given)
        providers = dict(parts.providers)
        if given.google.is_configured and settings.slukh_audio_to_cloud and "google" not in providers:
            alone = given.settings.model_copy(update={"slukh_stt_fallback": ()})
            providers |= build_parts(load_all(provider="google")._replace(settings=alone)).providers
    except UserError as error:
        return [Finding(check="recogniser", ok=False, detail=error.problem, remedy=error.remedy)]
    looks = [
        _google(one, given, usual) if name == "google" else _whisper(server, given, where, look, usual)
        for name, one in providers.items()
        for where, server in (one.servers if isinstance(one, ServerPool) else {"": one}).items()
    ]
    findings = await asyncio.gather(*looks)
    await parts.aclose()
    return [finding for some in findings for finding in some]


async def _whisper(
    provider: SttProvider, given: AllSettings, where: str, look: Look, usual_seconds: float
) -> list[Finding]:
    """Whether it hears the stored clip of the calls' language; `where` tells several servers apart."""
    which = f"{where}: " if where else ""
    clips = stored_clips()
    clip = next((c for c in clips if c.language_code == given.settings.slukh_language), clips[0])
    most = look.timeout_seconds
    patience = Patience(
        usual_seconds=usual_seconds,
        most_seconds=most,
        on_wait=lambda why: look.progress(
            f"{which or 'whisper: '}{why}; it may be loading its model, and is waited for up to {most:g} s"
        ),
    )
    try:
        async with contextlib.aclosing(provider):
            warmed = await hear_when_loaded(provider, clip, patience)
            server = f"{server_name(provider)} {where}".strip() if given.whisper.whisper_api_url else ""
            return [_hearing("recogniser", warmed.heard, server, warmed.loading_seconds)]
    except UserError as error:
        return [Finding(check="recogniser", ok=False, detail=f"{which}{error.problem}", remedy=error.remedy)]
    except SttError as error:
        remedy = remedy_for(error)
        if isinstance(error, SttTimeoutError):
            remedy = _TOO_SLOW_THERE if given.whisper.whisper_api_url else _TOO_SLOW_HERE
        return [Finding(check="recogniser", ok=False, detail=f"{which}{error.detail}", remedy=remedy)]


async def _google(provider: SttProvider, given: AllSettings, usual_seconds: float) -> list[Finding]:
    """Whether it takes what calls ask for, and how soon it hears the stored clips of their languages."""
    settings, google = given.settings, given.google
    languages = (settings.slukh_language, *settings.slukh_alternative_languages)
    config = StreamConfig(
        language_code=languages[0],
        alternative_language_codes=languages[1:],
        phrase_hints=settings.slukh_phrase_hints,
    )
    clips = [clip for clip in stored_clips() if clip.language_code in languages]
    taken = f"{google.google_stt_model} in {google.google_stt_location} takes {', '.join(languages)}"
    try:
        async with asyncio.timeout(usual_seconds), _started(provider):
            await _ask(provider, config)
            hearings = (hear_clip(provider, clip, timeout_seconds=usual_seconds) for clip in clips)
            heard = await asyncio.gather(*hearings)
    except TimeoutError:
        late = SttTimeoutError(provider.name, f"no answer within {usual_seconds:.0f} s")
        return [Finding(check="google", ok=False, detail=late.detail, remedy=remedy_for(late))]
    except SttError as error:
        return [Finding(check="google", ok=False, detail=error.detail, remedy=remedy_for(error))]
    return [
        Finding(check="google", ok=True, detail=taken),
        *(_hearing("google", each) for each in heard),
    ]


async def _ask(provider: SttProvider, config: StreamConfig) -> None:
    """A stream such as calls open, with a moment of silence in it. Raises SttError."""
    stream = await provider.open(config)
    try:
        await stream.send(AudioChunk(pcm=bytes(samples_from_ms(100) * 2)))
        await stream.end()
        async for _ in stream:
            pass
    finally:
        await stream.close()


def _hearing(check: str, heard: Heard, server: str = "", loading_seconds: float | None = None) -> Finding:
    said, text = (canonical_text(each, heard.clip.language_code) for each in (heard.clip.text, heard.text))
    wer = word_errors(said, text).wer or 0.0
    detail = (
        f"{f'{server}, ' if server else ''}{heard.clip.language_code} clip: final "
        f"{heard.final_seconds:.2f} s after the end of the audio, {wer:.0%} words wrong"
    )
    if loading_seconds is not None:
        detail += f"; the first answer came after {loading_seconds:.0f} s, so it had to load its model"
    if not heard.text:
        remedy = "it gave no text for clear speech: another model, or another server"
        return Finding(check=check, ok=False, detail=detail, remedy=remedy)
    if not has_its_words(heard):
        return Finding(
            check=check, ok=False, detail=f'{detail}: "{heard.text[:_QUOTED]}"',
            remedy=f"it hears other words than are said: a model that speaks {heard.clip.language_code}, "
            "or a larger one",
        )  # fmt: skip
    return Finding(check=check, ok=True, detail=detail)


@contextlib.asynccontextmanager
async def _started(provider: SttProvider) -> AsyncIterator[None]:
    try:
        await provider.start()
        yield
    finally:
        await provider.aclose()
