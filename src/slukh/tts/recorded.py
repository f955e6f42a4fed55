"""A pack of recorded phrases as a voice: a folder of recordings, each with its words beside it.

    phrases/uk-UA/greeting.wav      mono PCM, any usual rate
    phrases/uk-UA/greeting.txt      Добрий день! Шинний центр, слухаю вас.

A sentence each, because replies are cut into sentences. It says exactly these, compared by their words as
they are read out, and refuses every other one, so that the next voice of the chain is asked. The package's
own pack holds the apology that is left when all have failed.
"""

import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16
from slukh.errors import SettingsError, TtsRequestError
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.tts.phrases import normalised, speakable
from slukh.types import SAMPLE_RATE_HERTZ

_SECOND = 2 * SAMPLE_RATE_HERTZ


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One phrase.

    Attributes:
        text: its words, as they are written.
        linear16: 8 kHz.
    """

    text: str
    linear16: bytes


class RecordedVoice:
    """A `TtsProvider` that plays recordings.

    Args:
        folder: has a folder for every language.
        name: registry name.

    Raises:
        SettingsError: no such folder, none of a language in it, or a recording that cannot be played.
    """

    def __init__(self, folder: Path, *, name: str = "recorded") -> None:
        self.name = name
        self._folder = folder
        self.phrases = {path.name: _pack(path) for path in sorted(_languages(folder))}
        self._digests = {code: _digest(pack) for code, pack in self.phrases.items()}
        self.capabilities = TtsCapabilities(
            streaming=False,
            ssml=False,
            metered=False,
            languages=frozenset(self.phrases),
            sample_rates_hertz=frozenset({SAMPLE_RATE_HERTZ}),
        )

    async def start(self) -> None:
        """Everything is loaded already."""

    def voice(self, language_code: str) -> Voice:
        """The pack of a language. Raises TtsRequestError when there is none."""
        if language_code not in self.phrases:
            raise TtsRequestError(self.name, f"no recordings in {language_code}")
        return Voice(
            provider=self.name,
            name=self._folder.name,
            language_code=language_code,
            edition=self._digests[language_code],
        )

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """The recording of a sentence. Raises TtsRequestError when there is none."""
        self.voice(request.language_code)
        found = self.phrases[request.language_code].get(normalised(request.text))
        if found is None or request.is_ssml:
            raise TtsRequestError(self.name, "no recording of this sentence")
        for start in range(0, len(found.linear16), _SECOND):
            yield found.linear16[start : start + _SECOND]

    async def check(self) -> None:
        """A recording that was loaded can be played."""

    async def aclose(self) -> None:
        """Nothing to give back."""


def apology() -> RecordedVoice:
    """The package's own recordings: one sentence for each language, when nobody else can speak."""
    with_files = files("slukh.tts") / "apology"
    return RecordedVoice(Path(str(with_files)), name="apology")


def apology_text(language_code: str) -> str:
    """The sentence of that recording; Ukrainian where there is none in the language."""
    pack = apology().phrases
    return next(iter(pack.get(language_code, pack["uk-UA"]).values())).text


def read_wav(path: Path) -> bytes:
    """A mono 16-bit wav as linear 16-bit at 8 kHz. Raises SettingsError."""
    try:
        with wave.open(str(path)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            pcm = file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError) as error:
        raise SettingsError(f"{path} cannot be played ({error})", remedy="record it as mono wav") from error
    if (channels, width) != (1, 2):
        raise SettingsError(
            f"{path} has {channels} channels of {8 * width} bits", remedy="save it as mono, 16 bits"
        )
    resampler = Resampler(rate, SAMPLE_RATE_HERTZ)
    samples = samples_from_linear16(pcm)
    return linear16_from_samples(resampler.resample(samples)) + linear16_from_samples(resampler.flush())


def _languages(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.wav"))]
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be read ({error.strerror})", remedy="name a folder of recordings"
        ) from error
    if not found:
        raise SettingsError(
            f"{folder} holds no recordings", remedy="put NAME.wav and NAME.txt into a folder such as uk-UA"
        )
    return found


def _pack(folder: Path) -> dict[str, Recorded]:
    pack: dict[str, Recorded] = {}
    for path in sorted(folder.glob("*.wav")):
        words = path.with_suffix(".txt")
        try:
            text = words.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{path} has no words beside it", remedy=f"write what is said into {words.name}"
            ) from error
        pack[normalised(speakable(text, folder.name))] = Recorded(text=text, linear16=read_wav(path))
    return pack


def _digest(pack: dict[str, Recorded]) -> str:
    digest = sha256()
    for key in sorted(pack):
        digest.update(key.encode() + b"\0" + pack[key].linear16)
    return digest.hexdigest()[:16]
