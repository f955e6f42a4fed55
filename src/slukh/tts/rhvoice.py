"""RHVoice where it is installed: its program `RHVoice-test` says a sentence, each in a process of its own.

    RHVoice-test -p anatol -r 100 -o /dev/stdout <<< "Добрий день!"

RHVoice is LGPL-2.1-or-later with some voices under other licences, in few distributions and in no Python
package that installs; Slukh ships nothing of it. Its wav header is written before the length is known, so
the length in it means nothing. Source of the options: RHVoice 1.14.0, src/test/main.cpp.
"""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16
from slukh.errors import (
    SettingsError,
    TtsConnectError,
    TtsProtocolError,
    TtsRequestError,
    TtsStreamError,
    TtsTimeoutError,
)
from slukh.tts.base import SpeechRequest, TtsCapabilities, Voice
from slukh.tts.child import UNPAUSED_BYTES
from slukh.tts.wav import WavReader
from slukh.types import SAMPLE_RATE_HERTZ

PROGRAM = "RHVoice-test"
DEFAULT_VOICES = {"uk-UA": "natalia", "ru-RU": "aleksandr"}
_READ_BYTES = 4096
_SENTENCE_SECONDS = 20.0


class RhVoice:
    """A `TtsProvider` over RHVoice's program.

    Args:
        voices: language -> voice.
        speaking_rate: 1.0 is the voice's own pace.
        program: its name on the path, or a path.
        name: registry name.

    Raises:
        SettingsError: RHVoice is not installed.
    """

    def __init__(
        self,
        voices: Mapping[str, str] | None = None,
        *,
        speaking_rate: float = 1.0,
        program: str = PROGRAM,
        name: str = "rhvoice",
    ) -> None:
        found = shutil.which(program)
        if found is None:
            raise SettingsError(
                f"RHVoice is not installed ({program} is not on the path)",
                remedy="install RHVoice, or name another voice in SLUKH_TTS",
            )
        self.name = name
        self._program = found
        self._voices = voices or DEFAULT_VOICES
        self._speaking_rate = speaking_rate
        self.capabilities = TtsCapabilities(
            streaming=True,
            ssml=False,
            metered=False,
            languages=frozenset(self._voices),
            sample_rates_hertz=frozenset({16000, 24000}),
        )

    async def start(self) -> None:
        """Nothing to load before a sentence comes."""

    def voice(self, language_code: str) -> Voice:
        """The voice of a language. Raises TtsRequestError when there is none."""
        if language_code not in self._voices:
            raise TtsRequestError(self.name, f"has no voice for {language_code}")
        return Voice(
            provider=self.name,
            name=self._voices[language_code],
            language_code=language_code,
            speaking_rate=self._speaking_rate,
        )

    async def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """A sentence, as it is made. Raises TtsError."""
        voice = self.voice(request.language_code)
        if request.is_ssml:
            raise TtsRequestError(self.name, "does not read SSML")
        rate = str(round(100 * voice.speaking_rate))
        try:
            process = await asyncio.create_subprocess_exec(
                self._program, "-p", voice.name, "-r", rate, "-o", "/dev/stdout",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=UNPAUSED_BYTES,
            )  # fmt: skip
        except OSError as error:
            raise TtsConnectError(self.name, f"cannot run {self._program} ({error.strerror})") from error
        try:
            async for linear16 in self._audio(process, request.text):
                yield linear16
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _audio(self, process: asyncio.subprocess.Process, text: str) -> AsyncIterator[bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        wav, resampler = WavReader(), None
        try:
            async with asyncio.timeout(_SENTENCE_SECONDS):
                process.stdin.write(text.encode() + b"\n")
                process.stdin.close()
                while data := await process.stdout.read(_READ_BYTES):
                    pcm = wav.push(data)
                    if wav.sample_rate_hertz and resampler is None:
                        resampler = Resampler(wav.sample_rate_hertz, SAMPLE_RATE_HERTZ)
                    if pcm and resampler is not None:
                        yield linear16_from_samples(resampler.resample(samples_from_linear16(pcm)))
                ended = await process.wait()
        except TimeoutError as error:
            raise TtsTimeoutError(self.name, f"no end in {_SENTENCE_SECONDS:g} s") from error
        except ValueError as error:
            raise TtsProtocolError(self.name, f"{self._program} gave no wav ({error})") from error
        except OSError as error:
            raise TtsStreamError(self.name, f"{self._program} ended early") from error
        if ended != 0 or resampler is None:
            # No refusal of this sentence: the chain would pass on every one, and nobody would be told why.
            raise TtsStreamError(self.name, f"{self._program} failed: is the voice installed?")
        yield linear16_from_samples(resampler.flush())

    async def check(self) -> None:
        """Say a word in every language. Raises TtsError."""
        for code in self._voices:
            async for _ in self.synthesize(SpeechRequest(text="Так. Да.", language_code=code)):
                pass

    async def aclose(self) -> None:
        """Nothing runs between sentences."""
