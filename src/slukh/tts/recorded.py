"""A pack of recorded phrases as a voice: a folder of recordings, each with its words beside it.

    phrases/uk-UA/greeting.wav      mono, PCM at any usual rate or G.711
    phrases/uk-UA/greeting.txt      Добрий день! Шинний центр, слухаю вас.

A sentence each, because replies are cut into sentences. It says exactly these, compared by their words alone,
and refuses every other one, so that the next voice of the chain is asked. The package's own pack holds the
apology that is left when all have failed.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from slukh.audio import linear16_from_samples
from slukh.audio_files import read_recording
from slukh.errors import AudioFileError, SettingsError, TtsRequestError
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.tts.phrases import normalised
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
        try:
            samples = read_recording(path).samples
        except AudioFileError as error:
            raise SettingsError(error.problem, remedy=error.remedy) from error
        pack[normalised(text)] = Recorded(text=text, linear16=linear16_from_samples(samples))
    return pack


def _digest(pack: dict[str, Recorded]) -> str:
    digest = sha256()
    for key in sorted(pack):
        digest.update(key.encode() + b"\0" + pack[key].linear16)
    return digest.hexdigest()[:16]
