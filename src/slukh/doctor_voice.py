"""Is the voice back ready? Asks who answers, every voice and the phrase cache. See `doctor.py`."""

import asyncio
from collections.abc import Awaitable
from typing import NamedTuple

from slukh.assembly.answering import build_answering, build_dialog
from slukh.errors import DialogError, SlukhError, TtsError, UserError
from slukh.settings.voices import VoiceSettings
from slukh.tts.base import TtsProvider

_SECONDS = 8.0


class VoiceFinding(NamedTuple):
    """As `doctor.Finding`, which shows it."""

    check: str
    ok: bool
    detail: str
    remedy: str = ""


async def examine_voice(given: VoiceSettings) -> list[VoiceFinding]:
    """Everything that talking to callers needs; nothing when they are only heard."""
    if not given.slukh_dialog:
        return []
    try:
        dialog = build_dialog(given)
    except UserError as error:
        return [VoiceFinding("dialog", ok=False, detail=error.problem, remedy=error.remedy)]
    except DialogError as error:
        return [VoiceFinding("dialog", ok=False, detail=error.detail, remedy=_remedy(error))]
    try:
        answering = build_answering(given, dialog=dialog)
    except UserError as error:
        return [VoiceFinding("voice", ok=False, detail=error.problem, remedy=error.remedy)]
    assert answering is not None  # there is a dialogue
    try:
        findings = [await _asked("dialog", answering.dialog.name, answering.dialog.start())]
        findings += await asyncio.gather(*(_voice(one) for one in answering.speaker.chain.providers))
        if given.slukh_phrase_cache == "disk":
            findings.append(await asyncio.to_thread(_cache, given))
        elif given.slukh_phrase_cache != "memory":
            findings.append(await _redis(given.slukh_phrase_cache))
        return findings
    finally:
        await answering.aclose()


async def _voice(provider: TtsProvider) -> VoiceFinding:
    async def speak() -> None:
        await provider.start()
        await provider.check()

    return await _asked(
        "voice", f"{provider.name} speaks {', '.join(sorted(provider.capabilities.languages))}", speak()
    )


async def _asked(check: str, works: str, question: Awaitable[None]) -> VoiceFinding:
    """What came of starting something."""
    try:
        async with asyncio.timeout(_SECONDS):
            await question
    except TimeoutError:
        return VoiceFinding(
            check, ok=False, detail=f"{works}: no answer in {_SECONDS:g} s", remedy="is the network up?"
        )
    except UserError as error:
        return VoiceFinding(check, ok=False, detail=error.problem, remedy=error.remedy)
    except (TtsError, DialogError) as error:
        return VoiceFinding(check, ok=False, detail=error.detail, remedy=_remedy(error))
    except SlukhError as error:
        return VoiceFinding(check, ok=False, detail=str(error), remedy="see doc/voice.md")
    return VoiceFinding(check, ok=True, detail=works)


def _remedy(error: TtsError | DialogError) -> str:
    """What to set, or which heading of doc/voice.md says it."""
    if isinstance(error, TtsError):
        return 'see "Who speaks" in doc/voice.md'
    where = '"Who answers" in doc/voice.md'
    return f"set ANTHROPIC_API_KEY; see {where}" if error.error_type == "authentication" else f"see {where}"


def _cache(given: VoiceSettings) -> VoiceFinding:
    folder = given.slukh_phrase_cache_dir
    mark = folder / ".slukh-doctor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_bytes(b"x")
        mark.unlink()
    except OSError as error:
        return VoiceFinding(
            "phrases", ok=False, detail=f"{folder}: {error.strerror}",
            remedy="make it writable, or set SLUKH_PHRASE_CACHE_DIR; without it every restart pays again",
        )  # fmt: skip
    return VoiceFinding("phrases", ok=True, detail=f"{folder} can be written")


async def _redis(url: str) -> VoiceFinding:
    from slukh.tts.redis_cache import RedisStore

    key, audio = "doctor", b"\0\0"
    store = RedisStore(url, max_age_seconds=60.0, answer_seconds=_SECONDS)
    try:
        await store.put(key, audio)
        is_kept = await store.get(key) == audio
    finally:
        await store.aclose()
    if is_kept:
        return VoiceFinding("phrases", ok=True, detail="Redis keeps them")
    return VoiceFinding(
        "phrases", ok=False, detail="Redis cannot be read or written",
        remedy="start it, or correct SLUKH_PHRASE_CACHE; without it every restart pays again",
    )  # fmt: skip
