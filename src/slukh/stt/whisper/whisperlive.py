"""WhisperLive's WebSocket (collabora/WhisperLive). No I/O.

The server decodes its buffer again and again while audio comes in, and sends its segments whole each time:
those it has completed, and one that still grows. It never says that it is done, and `END_OF_AUDIO` throws the
tail away. So at our endpoint it gets a second of silence, and we wait until it repeats itself: the first
answer after the endpoint may be of a decode that had begun before, the second one heard everything, and when
those two differ the third one is taken. A buffer in which it finds no speech is answered by nothing: when it
stays quiet for twice as long as an answer took, its text is believed if its segments reach to where the voice
ended; else it is slow, and waited for.
"""

from typing import Any, Final
from uuid import uuid4

from slukh.errors import SttLimitError, SttOverloadedError, SttProtocolError
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.conversation import Asked, Call, Conversation, Heard, bearer, joined
from slukh.stt.whisper.failures import failed, quoted, refused
from slukh.stt.whisper.finals import Voice
from slukh.stt.whisper.timings import words_of_answer
from slukh.types import AudioChunk, Word, seconds

RATE_HERTZ: Final = 16000
TAIL_SECONDS: Final = 1.0  # it decodes nothing shorter than this
QUIET_SECONDS: Final = 1.5  # without an answer ...
NOTHING_SECONDS: Final = 4.0  # ... of any kind, to less voice than a word has
_A_WORD_SECONDS = 0.8
_NEAR_SECONDS = 1.0  # a segment that ends so close to the end of the voice has all of it
_ENOUGH_ANSWERS = 3
_SEGMENTS = 100  # completed ones that each message repeats: more than an utterance has


class WhisperLiveConversation(Conversation):
    """One utterance.

    Args:
        name: registry name.
        language: ISO-639-1.
        model: which the server may ignore.
        hotwords: words to expect.
        words: whether to have word timings, which it makes in a pass of its own.
    """

    def __init__(
        self, name: str, *, language: str, model: str, hotwords: str = "", words: bool = False
    ) -> None:
        super().__init__(name, rate_hertz=RATE_HERTZ)
        self._uid = str(uuid4())
        self._language, self._model, self._hotwords = language, model, hotwords
        self._wants_words = words
        self._text = ""
        self._words: tuple[Word, ...] = ()
        self._spoken = ""
        self._reached = 0.0  # where its last segment ends
        self._voice = Voice()
        self._answers = 0  # since the endpoint
        self._answered_at: float | None = None
        self._longest_wait = 0.0  # between two answers
        self._has_ended = False

    def open(self) -> None:
        """The options. A missing `uid`, `language`, `task` or `model` closes the socket without a word."""
        self.say({
            "uid": self._uid, "language": self._language, "task": "transcribe", "model": self._model,
            "use_vad": True, "audio_format": "int16", "send_last_n_segments": _SEGMENTS,
            "same_output_threshold": 2, "word_timestamps": self._wants_words,
            "hotwords": self._hotwords or None,
        })  # fmt: skip

    def audio(self, chunk: AudioChunk) -> None:
        """Raw int16 at 16 kHz."""
        self._voice.add(chunk)
        self.say(self.resampled(chunk.pcm))

    def end(self) -> None:
        """A second of silence, so that the tail is decoded."""
        self._has_ended = True
        self.say(self.resampled(bytes(round(TAIL_SECONDS * 8000) * 2), is_last=True))
        self._wait()

    def understand(self, said: dict[str, Any], now: float) -> list[Heard]:
        """Segments, whole each time; or what keeps it from giving any."""
        match said.get("status"):
            case "WAIT":
                minutes = said.get("message")
                raise SttOverloadedError(self.name, f"the server is full for {minutes} minutes")
            case "ERROR":
                error = failed if self.is_ready else refused
                raise error(self.name, quoted(said.get("message")))
        if said.get("message") == "SERVER_READY":
            self.is_ready = True
            self._answered_at = now + TAIL_SECONDS  # before that it has nothing to decode
        elif said.get("message") == "DISCONNECT":
            raise SttLimitError(self.name, "the server's time for one connection is over")
        elif "language" in said:
            self._spoken = str(said["language"])
        elif "segments" in said:
            return self._heard(said["segments"], now)
        return []

    def tick(self) -> list[Heard]:
        """It has been quiet: either it heard nothing more, or it is slow."""
        if self._text:
            is_all = self._reached >= seconds(self._voice.last) - _NEAR_SECONDS
        else:
            is_all = self._voice.seconds < _A_WORD_SECONDS
        return [self._last()] if is_all else []

    def closed(self, code: int, reason: str) -> list[Heard]:
        """Before it is ready: options that it did not take."""
        if not self.is_ready:
            raise SttProtocolError(
                self.name, f"the server closed before it was ready, close code {code}: is this WhisperLive?"
            )
        return super().closed(code, reason)

    def _heard(self, segments: list[dict[str, Any]], now: float) -> list[Heard]:
        # Words begin with a space of their own.
        text = joined("".join(str(segment.get("text") or "") for segment in segments))
        self._words = words_of_answer({}, segments)
        self._reached = max((float(segment.get("end") or 0) for segment in segments), default=0.0)
        is_repeated = text == self._text
        self._text = text
        if self._answered_at is not None:
            self._longest_wait = max(self._longest_wait, now - self._answered_at)
        self._answered_at = now
        if not self._has_ended:
            return [Heard(text=text)]
        self._answers += 1
        self._wait()
        if self._answers >= (2 if is_repeated else _ENOUGH_ANSWERS):
            return [self._last()]
        return [Heard(text=text)]

    def _wait(self) -> None:
        self.look_in = max(QUIET_SECONDS, 2 * self._longest_wait) if self._text else NOTHING_SECONDS

    def _last(self) -> Heard:
        self.is_over, self.look_in = True, None
        return Heard(text=self._text, is_last=True, words=self._words, language=self._spoken)


def whisperlive_call(address: Address, asked: Asked) -> Call:
    """Where an utterance goes."""
    return Call(
        url=address.url,
        headers=bearer(asked.key),
        conversation=WhisperLiveConversation(
            asked.name,
            language=asked.language,
            model=asked.model,
            hotwords=", ".join(asked.hints),
            words=asked.words,
        ),
    )
