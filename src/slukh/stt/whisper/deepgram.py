"""Deepgram's `/v1/listen`, which WhisperLiveKit speaks too. No I/O.

Pieces of the utterance come as interims until one of them `is_final`; the text is the final pieces and the
interim behind them. `CloseStream` makes the server say the rest, then `Metadata`, and close. WhisperLiveKit
takes 16 kHz only, sends a first `Metadata` at once, and knows no confidence (0.0); Deepgram takes 8 kHz.
"""

from typing import Any
from urllib.parse import urlencode

from slukh.errors import SttRequestError, SttStreamError
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.conversation import (
    GOING_AWAY,
    NORMAL,
    WRONG_TOKEN,
    Asked,
    Call,
    Conversation,
    Heard,
    joined,
)
from slukh.stt.whisper.failures import failed, quoted, refused, wrong_key
from slukh.stt.whisper.timings import words_from
from slukh.types import AudioChunk, Word


class DeepgramConversation(Conversation):
    """One utterance.

    Args:
        name: registry name.
        rate_hertz: that the address promises.
    """

    def __init__(self, name: str, *, rate_hertz: int) -> None:
        super().__init__(name, rate_hertz=rate_hertz)
        self._finals: list[str] = []
        self._scores: list[float] = []
        self._interim = ""
        self._words: tuple[Word, ...] = ()
        self._interim_words: tuple[Word, ...] = ()
        self._has_ended = self._has_answered = False

    def audio(self, chunk: AudioChunk) -> None:
        """Raw int16. Never an empty message: to Deepgram that is the end."""
        if data := self.resampled(chunk.pcm):
            self.say(data)

    def end(self) -> None:
        """What the resampler holds back, and the wish to hear the rest."""
        self._has_ended = True
        if data := self.resampled(b"", is_last=True):
            self.say(data)
        self.say({"type": "CloseStream"})

    def understand(self, said: dict[str, Any], _now: float) -> list[Heard]:
        """Results, or the end of them."""
        match said.get("type"):
            case "Results":
                return self._results(said)
            case "Metadata" if self._has_ended and said.get("duration"):
                return [self._last()]
            case "Error":
                raise self._error(quoted(said.get("description") or said.get("message")))
        return []

    def closed(self, code: int, reason: str) -> list[Heard]:
        """After `CloseStream`, and any answer, that is how it ends."""
        if code == WRONG_TOKEN:
            raise wrong_key(self.name)
        if self._has_ended and self._has_answered and code in (NORMAL, GOING_AWAY):
            return [self._last()]
        return super().closed(code, reason)

    def _results(self, said: dict[str, Any]) -> list[Heard]:
        self._has_answered = True
        alternatives = (said.get("channel") or {}).get("alternatives") or [{}]
        text = str(alternatives[0].get("transcript") or "")
        score = alternatives[0].get("confidence")
        words = words_from(alternatives[0].get("words"))
        if not said.get("is_final"):
            self._interim, self._interim_words = text, words
        else:
            self._interim, self._interim_words = "", ()
            if text.strip():
                self._finals.append(text)
                self._words += words
                if isinstance(score, int | float) and score > 0:
                    self._scores.append(float(score))
        return [self._heard()]

    def _heard(self, *, is_last: bool = False) -> Heard:
        # An interim that nothing has finalised when the stream is over is still what was said.
        score = sum(self._scores) / len(self._scores) if self._scores else None
        return Heard(
            text=joined(*self._finals, self._interim),
            is_last=is_last,
            confidence=score,
            words=self._words + self._interim_words,
        )

    def _last(self) -> Heard:
        self.is_over = True
        return self._heard(is_last=True)

    def _error(self, said: str) -> SttRequestError | SttStreamError:
        if self._has_ended or self._finals:
            return failed(self.name, said)
        return refused(self.name, said)


def deepgram_call(address: Address, asked: Asked) -> Call:
    """Where an utterance goes; model, punctuation and hints are for Deepgram's own service."""
    is_deepgram = address.is_hosted
    rate = 8000 if is_deepgram else 16000
    # The end of the utterance is ours. WhisperLiveKit looks for pauses only with its own voice detection, and
    # with that cuts an utterance into pieces that Whisper neither understands nor finishes soon.
    pauses = "300" if is_deepgram else "false"
    query: list[tuple[str, str]] = [
        ("language", asked.language), ("encoding", "linear16"), ("sample_rate", str(rate)), ("channels", "1"),
        ("interim_results", "true"), ("endpointing", pauses),
    ]  # fmt: skip
    if is_deepgram:
        query += [("model", asked.model), ("punctuate", "true")]
        query += [("keyterm" if "nova-3" in asked.model else "keywords", hint) for hint in asked.hints]
    elif asked.key:
        query.append(("token", asked.key))
    kind = "Token" if is_deepgram else "Bearer"
    return Call(
        url=f"{address.url}?{urlencode(query)}",
        headers={"Authorization": f"{kind} {asked.key}"} if asked.key else {},
        conversation=DeepgramConversation(asked.name, rate_hertz=rate),
    )
