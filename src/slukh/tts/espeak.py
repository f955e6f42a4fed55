"""eSpeak NG, the voice that needs no account: it speaks as soon as its extra is installed.

A formant synthesiser: understood by people who expect it, by no recogniser, and to no shop's taste; it is
what there is in packages for Ukrainian and Russian. The library is GPL-3.0-or-later and runs in a process of
its own (`espeak_child.py`); it comes with the extra `espeak`, or from the system (`libespeak-ng.so.1`).
"""

import ctypes.util
import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from slukh.errors import SettingsError, TtsRequestError
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.tts.child import SpeakingChild

_VOICES = {"uk-UA": "uk", "ru-RU": "ru"}
_SYSTEM_DATA = "/usr/lib/x86_64-linux-gnu/espeak-ng-data"
_RATE_HERTZ = 22050


class EspeakVoice:
    """A `TtsProvider` over eSpeak NG.

    Args:
        speaking_rate: 1.0 is 150 words a minute.
        name: registry name.

    Raises:
        SettingsError: eSpeak NG is not installed.
    """

    def __init__(self, *, speaking_rate: float = 1.0, name: str = "espeak") -> None:
        self.name = name
        self.capabilities = TtsCapabilities(
            streaming=True,
            ssml=True,
            metered=False,
            languages=frozenset(_VOICES),
            sample_rates_hertz=frozenset({_RATE_HERTZ}),
        )
        self._speaking_rate = speaking_rate
        library, data = _installed()
        self._child = SpeakingChild(name, (sys.executable, "-m", "slukh.tts.espeak_child", library, data))

    async def start(self) -> None:
        """Run the child. Raises TtsError."""
        await self._child.start()

    def voice(self, language_code: str) -> Voice:
        """Its voice of a language. Raises TtsRequestError when it has none."""
        if language_code not in _VOICES:
            raise TtsRequestError(self.name, f"does not speak {language_code}")
        return Voice(
            provider=self.name,
            name=_VOICES[language_code],
            language_code=language_code,
            speaking_rate=self._speaking_rate,
        )

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """A sentence, as it is made. Raises TtsError."""
        voice = self.voice(request.language_code)
        job: dict[str, object] = {
            "text": request.text,
            "voice": voice.name,
            "rate": voice.speaking_rate,
            "ssml": request.is_ssml,
        }
        async for linear16 in self._child.say(job):
            yield linear16

    async def check(self) -> None:
        """Say a word in every language. Raises TtsError."""
        for code in _VOICES:
            async for _ in self.synthesize(SpeechRequest(text="Так. Да.", language_code=code)):
                pass

    async def aclose(self) -> None:
        """End the child."""
        await self._child.aclose()


def _installed() -> tuple[str, str]:
    """The library, and the folder of its voices: the extra's, else the system's."""
    found = importlib.util.find_spec("espeakng_loader")
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent
        return str(folder / "libespeak-ng.so"), str(folder / "espeak-ng-data")
    if (system := ctypes.util.find_library("espeak-ng")) is not None:
        return system, _SYSTEM_DATA
    raise SettingsError(
        "eSpeak NG is not installed",
        remedy="pip install 'slukh[espeak]', apt-get install libespeak-ng1, or another voice in SLUKH_TTS",
    )
