"""The contract of a voice: one Protocol for Google, Piper, eSpeak, RHVoice, recordings and the fake.

A provider is long-lived and shared by all calls. It makes one sentence at a time into telephone audio:

    async for linear16 in provider.synthesize(SpeechRequest(text="Добрий день!", language_code="uk-UA")):
        ...                                     # 8 kHz, as it is made

Everything that fails raises a `TtsError` leaf. The contract suite in tests/integration/test_tts_contract.py
holds every provider to what is promised here.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class TtsCapabilities:
    """What a voice can do; read before it is asked.

    Attributes:
        streaming: audio comes while the sentence is still being made.
        ssml: it reads SSML.
        metered: every character costs money.
        languages: BCP-47 codes it speaks.
        sample_rates_hertz: what its engine makes; what it gives is always 8 kHz.
    """

    streaming: bool
    ssml: bool
    metered: bool
    languages: frozenset[str]
    sample_rates_hertz: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Who speaks a language, with everything that changes the sound: the phrase cache's key holds all of it.

    Attributes:
        provider: registry name.
        name: the voice, as the provider names it.
        language_code: BCP-47.
        speaking_rate: 1.0 is the voice's own pace.
        edition: what else changes the sound, such as the digest of a model file.
    """

    provider: str
    name: str
    language_code: str
    speaking_rate: float = 1.0
    edition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """A sentence to say.

    Attributes:
        text: plain text, or SSML for those who read it.
        language_code: BCP-47.
        is_ssml: `text` is a `<speak>` document.
    """

    text: str
    language_code: str
    is_ssml: bool = False


class TtsProvider(Protocol):
    """A voice, shared by all calls.

    Attributes:
        name: registry name and metric label.
        capabilities: what it can do.
    """

    name: str
    capabilities: TtsCapabilities

    async def start(self) -> None:
        """Load the voice, warm the channel. Raises TtsError; SettingsError for a voice that is not there."""

    def voice(self, language_code: str) -> Voice:
        """Who speaks a language. Raises TtsRequestError when nobody does."""

    def synthesize(self, request: SpeechRequest) -> AsyncIterator[bytes]:
        """Linear 16-bit audio at 8 kHz, in pieces of any even length. Raises TtsError while it is read."""

    async def check(self) -> None:
        """Say a word in every language. Raises TtsError when it cannot."""

    async def aclose(self) -> None:
        """Give everything back. Idempotent."""
