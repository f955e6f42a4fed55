"""Piper, the self-hosted neural voice: a voice file for every language, by path. None is shipped.

A Piper voice is `NAME.onnx` with `NAME.onnx.json` beside it, from wherever its licence lets you have it.
`piper-tts` is GPL-3.0-or-later: an extra, run in a process of its own (`piper_child.py`), one per language.
"""

import importlib.util
import sys
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from pathlib import Path

from slukh.errors import SettingsError, TtsRequestError
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.tts.child import SpeakingChild

_RATES_HERTZ = frozenset({16000, 22050})


class PiperVoices:
    """A `TtsProvider` over Piper.

    Args:
        paths: language -> voice file.
        speaking_rate: 1.0 is the voice's own pace.
        name: registry name.

    Raises:
        SettingsError: Piper is not installed, no voice is named, or a file is not there.
    """

    def __init__(self, paths: Mapping[str, Path], *, speaking_rate: float = 1.0, name: str = "piper") -> None:
        if importlib.util.find_spec("piper") is None:
            raise SettingsError("Piper is not installed", remedy="pip install 'slukh[piper]'")
        if not paths:
            raise SettingsError(
                "Piper has no voice", remedy="set SLUKH_PIPER_VOICES=uk-UA=/path/to/voice.onnx"
            )
        self.name = name
        self.capabilities = TtsCapabilities(
            streaming=True,
            ssml=False,
            metered=False,
            languages=frozenset(paths),
            sample_rates_hertz=_RATES_HERTZ,
        )
        self._voices = {
            code: Voice(
                provider=name,
                name=path.stem,
                language_code=code,
                speaking_rate=speaking_rate,
                edition=_digest(path),
            )
            for code, path in paths.items()
        }
        self._children = {
            code: SpeakingChild(name, (sys.executable, "-m", "slukh.tts.piper_child", str(path)))
            for code, path in paths.items()
        }

    async def start(self) -> None:
        """Load every voice. Raises SettingsError for a file that is no voice, else TtsError."""
        for child in self._children.values():
            try:
                await child.start()
            except TtsRequestError as error:
                raise SettingsError(
                    error.detail, remedy="name a Piper voice with its .json beside it in SLUKH_PIPER_VOICES"
                ) from error

    def voice(self, language_code: str) -> Voice:
        """The voice of a language. Raises TtsRequestError when there is none."""
        if language_code not in self._voices:
            raise TtsRequestError(self.name, f"has no voice for {language_code}")
        return self._voices[language_code]

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """A sentence. Raises TtsError."""
        voice = self.voice(request.language_code)
        if request.is_ssml:
            raise TtsRequestError(self.name, "does not read SSML")
        job: dict[str, object] = {"text": request.text, "rate": voice.speaking_rate}
        async for linear16 in self._children[request.language_code].say(job):
            yield linear16

    async def check(self) -> None:
        """Say a word in every language. Raises TtsError."""
        for code in self._voices:
            async for _ in self.synthesize(SpeechRequest(text="Так. Да.", language_code=code)):
                pass

    async def aclose(self) -> None:
        """End the children."""
        for child in self._children.values():
            await child.aclose()


def _digest(path: Path) -> str:
    digest = sha256()
    for part in (path, path.with_name(f"{path.name}.json")):
        try:
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise SettingsError(
                f"{part} cannot be read ({error.strerror})",
                remedy="name a Piper voice with its .json beside it in SLUKH_PIPER_VOICES",
            ) from error
    return digest.hexdigest()[:16]
