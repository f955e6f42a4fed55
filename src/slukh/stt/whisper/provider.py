"""Whisper as a recogniser: a decoder, wherever it runs, under the one policy."""

from slukh.errors import SttLanguageError
from slukh.stt.base import Capabilities, StreamConfig
from slukh.stt.whisper.decoding import Decoder
from slukh.stt.whisper.policy import DEFAULT_POLICY, StreamPolicy, refuse_unknown
from slukh.stt.whisper.stream import WhisperStream


class WhisperProvider:
    """An `SttProvider` over a `Decoder`.

    Args:
        decoder: the local child or a server.
        model: what it runs, as the provider names it.
        name: registry name and metric label.
        metered: whether every request costs money.
        policy: when to decode.
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        model: str,
        name: str = "whisper",
        metered: bool = False,
        policy: StreamPolicy = DEFAULT_POLICY,
    ) -> None:
        self.name = name
        self.model = model
        self.decoder = decoder
        self._metered = metered
        self._policy = policy
        self.capabilities = self._capabilities()

    async def start(self) -> None:
        """Load the model, or see that the server is there. Raises WeightsError or SttError."""
        await self.decoder.start()
        self.capabilities = self._capabilities()

    async def open(self, config: StreamConfig) -> WhisperStream:
        """A stream for one utterance.

        Raises:
            SttLanguageError: one that this Whisper does not take.
        """
        refuse_unknown(self.name, config)
        for code in (config.language_code, *config.alternative_language_codes):
            if code not in self.decoder.limits.languages:
                raise SttLanguageError(self.name, f"the model {self.model!r} does not speak {code}")
        return WhisperStream(
            self.decoder, config, provider=self.name, policy=self._policy, metered=self._metered
        )

    def backlog_seconds(self) -> float:
        """How long decodes wait for their turn."""
        return self.decoder.queue_age_seconds

    async def aclose(self) -> None:
        """Give the decoder back; open streams fail."""
        await self.decoder.aclose()

    def _capabilities(self) -> Capabilities:
        """What the decoder can do; a metered one is not asked for interims."""
        limits = self.decoder.limits
        return Capabilities(
            interim_results=limits.interims and not self._metered,
            words=limits.words,
            metered=self._metered,
            languages=limits.languages,
            max_seconds=limits.max_seconds,
        )
