"""One utterance with a server that listens while the caller speaks: what is said on its socket. No I/O.

    conversation.receive(message, now)      what it sent; once `is_ready`, audio may follow
    conversation.audio(chunk)               as it comes
    conversation.end()                      our endpoint
    conversation.tick()                     after `look_in` of quiet: some servers never say that it is over
    conversation.to_send()                  after each of these, what goes to the server

`receive`, `tick` and `closed` return what was `Heard`, the utterance whole each time and its last one once,
and raise the `SttError` that a message means. A dialect is a subclass and the address that belongs to it.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16
from slukh.errors import SttProtocolError
from slukh.stt.whisper.failures import closed
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk, Word

Message = str | bytes

NORMAL = 1000  # close codes of RFC 6455, section 7.4.1
GOING_AWAY = 1001
WRONG_TOKEN = 4401  # WhisperLiveKit's own, on both of its sockets


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a server made of the utterance so far.

    Attributes:
        text: whole, stripped.
        is_last: nothing follows.
        confidence: its own 0..1, or None.
        words: timings from the first sample on, where it gives them.
        language: that it says it heard, as it names it; empty when it does not say.
    """

    text: str
    is_last: bool = False
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    language: str = ""


class Conversation(ABC):
    """See the module.

    Args:
        name: registry name, for errors.
        rate_hertz: what the server wants linear audio in.

    Attributes:
        is_ready: audio may be sent.
        is_over: its last `Heard` is out.
        look_in: seconds of quiet, from the last `end` or `receive`, after which `tick` is wanted; or None.
    """

    def __init__(self, name: str, *, rate_hertz: int = SAMPLE_RATE_HERTZ) -> None:
        self.name = name
        self.is_ready = False
        self.is_over = False
        self.look_in: float | None = None
        self.set_rate(rate_hertz)
        self._outbox: list[Message] = []

    def set_rate(self, rate_hertz: int) -> None:
        """What the server wants linear audio in, before any is given."""
        self._resampler = Resampler(SAMPLE_RATE_HERTZ, rate_hertz)

    def to_send(self) -> list[Message]:
        """What goes to the server now; each message once."""
        messages, self._outbox = self._outbox, []
        return messages

    def open(self) -> None:
        """The socket is there: say what comes first. By default nothing does, and audio may follow."""
        self.is_ready = True

    @abstractmethod
    def audio(self, chunk: AudioChunk) -> None:
        """A piece of the utterance."""

    @abstractmethod
    def end(self) -> None:
        """The utterance is over."""

    def receive(self, message: Message, now: float) -> list[Heard]:
        """The server said something.

        Raises:
            SttError: what the message means, or that it is none of this protocol.
        """
        try:
            said = json.loads(message)
            if isinstance(said, dict):
                return self.understand(said, now)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SttProtocolError(
                self.name, "a message that cannot be read: is this a Whisper server?"
            ) from error
        raise SttProtocolError(self.name, "a message that is no JSON object: is this a Whisper server?")

    @abstractmethod
    def understand(self, said: dict[str, Any], now: float) -> list[Heard]:
        """One message; whatever it holds was written by somebody else."""

    def tick(self) -> list[Heard]:
        """`look_in` has passed and nothing came."""
        return []

    def closed(self, code: int, reason: str) -> list[Heard]:
        """The server closed. Never its last word, unless a dialect says so."""
        raise closed(self.name, code, reason)

    def resampled(self, pcm: bytes, *, is_last: bool = False) -> bytes:
        """Linear audio at the server's rate; the last piece brings what the resampler holds back."""
        samples = self._resampler.resample(samples_from_linear16(pcm))
        if is_last:
            samples = np.concatenate((samples, self._resampler.flush()))
        return linear16_from_samples(samples)

    def say(self, message: Mapping[str, Any] | bytes) -> None:
        """Put a message into the outbox; a mapping goes as JSON."""
        self._outbox.append(
            bytes(message) if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Where one utterance goes.

    Attributes:
        url: with its query.
        conversation: what is said there.
        headers: of the handshake.
    """

    url: str
    conversation: Conversation
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a server for one utterance; each dialect takes what it can say.

    Attributes:
        name: registry name, for errors.
        key: or empty.
        model: as the server names it.
        language: ISO-639-1.
        hints: words to expect.
        words: whether timings are wanted that cost the server time.
    """

    name: str
    key: str
    model: str
    language: str
    hints: tuple[str, ...] = ()
    words: bool = False


def bearer(key: str) -> Mapping[str, str]:
    """The header that carries a key, where there is one."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def joined(*texts: object) -> str:
    """Texts as one, whitespace as the house writes it."""
    return " ".join(" ".join(str(text) for text in texts if text).split())
