"""What a server is played: the stored clip of a language, and more sentences of the same voice."""

from importlib.resources import files

from slukh.audio import linear16_from_mulaw
from slukh.errors import SettingsError
from slukh.routing.health import Clip, stored_clips
from slukh.types import SAMPLE_RATE_HERTZ

_SILENCE_SECONDS = 3
_SHORT_SECONDS = 2


def clips_in(language_code: str) -> tuple[Clip, ...]:
    """Five sentences of a caller.

    Raises:
        SettingsError: there is none in that language.
    """
    stored = {clip.language_code: clip for clip in stored_clips()}
    if language_code not in stored:
        raise SettingsError(f"no clip in {language_code}", remedy=f"use {' or '.join(stored)}")
    return (stored[language_code], *_sentences(language_code))


def silence(language_code: str) -> Clip:
    """Three seconds in which nobody speaks."""
    return Clip(language_code=language_code, pcm=bytes(_SILENCE_SECONDS * SAMPLE_RATE_HERTZ * 2), text="")


def beginning(clip: Clip) -> Clip:
    """Its first two seconds."""
    return Clip(
        language_code=clip.language_code, pcm=clip.pcm[: _SHORT_SECONDS * SAMPLE_RATE_HERTZ * 2], text=""
    )


def _sentences(language_code: str) -> list[Clip]:
    """G.711 mu-law at 8 kHz, `uk-UA-1.ul` and on, and the words of each in a line of `uk-UA.txt`."""
    folder = files("slukh.conformance") / "sentences"
    texts = (folder / f"{language_code}.txt").read_text(encoding="utf-8").splitlines()
    return [
        Clip(
            language_code=language_code,
            pcm=linear16_from_mulaw((folder / f"{language_code}-{number}.ul").read_bytes()),
            text=text,
        )
        for number, text in enumerate(texts, start=1)
    ]
