"""The realtime transcription family: one path, three protocols. No I/O.

`session.created` tells which server it is, and so what follows:

    openai     G.711 mu-law as it came from the line, no voice detection of theirs, `commit` at our endpoint,
               deltas and one `completed` per item
    speaches   16-bit at 24 kHz; its voice detection cannot be turned off and a `commit` in a turn kills it,
               so silence ends the turn; no deltas, one `completed` per turn; those after 0.9.0-rc.3 also
               say while it is open what they have of it. When that was all says speaches_turns.py
    vllm       16-bit at 16 kHz; the model is named first, one `commit` starts it and a final one ends it

Items may complete out of order: their texts are kept by `item_id`, in the order in which they were committed.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlencode

from slukh.audio import mulaw_from_linear16
from slukh.errors import SttError, SttOverloadedError
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.conversation import Asked, Call, Conversation, Heard, bearer, joined
from slukh.stt.whisper.failures import failed, quoted, refused, wrong_key
from slukh.stt.whisper.speaches_turns import TURN_EVENTS, SpeachesTurns
from slukh.types import AudioChunk, seconds

Flavour = Literal["openai", "speaches", "vllm"]

_RATES: Final[Mapping[Flavour, int]] = {"openai": 8000, "speaches": 24000, "vllm": 16000}
_TURN_SILENCE_MS = 350  # after which speaches ends a turn
_TAIL_SECONDS, _MORE_TAIL_SECONDS = 1.0, 0.5  # of silence, so that it does
_ITEM = "conversation.item.input_audio_transcription"
_POLICY_VIOLATION = 1008  # RFC 6455; speaches closes so on a wrong key


class RealtimeConversation(Conversation):
    """One utterance.

    Args:
        name: registry name.
        language: ISO-639-1.
        model: what transcribes.
        hints: words to expect.
    """

    def __init__(self, name: str, *, language: str, model: str, hints: tuple[str, ...] = ()) -> None:
        super().__init__(name)
        self._language, self._model, self._hints = language, model, hints
        self.flavour: Flavour | None = None
        self._texts: dict[str, str] = {}  # by item, in the order of their turns
        self._open: set[str] = set()  # items that are not transcribed yet
        self._turns = SpeachesTurns()
        self._samples = 0  # of the utterance so far
        self._has_ended = False

    def open(self) -> None:
        """Nothing: the server speaks first."""

    def audio(self, chunk: AudioChunk) -> None:
        """A piece, as this server wants it."""
        self._samples += chunk.samples
        if self.flavour == "openai":
            self._append(mulaw_from_linear16(chunk.pcm))
        else:
            self._append(self.resampled(chunk.pcm))

    def end(self) -> None:
        """What makes this server say its last word."""
        self._has_ended = True
        if self.flavour == "openai":
            self.say({"type": "input_audio_buffer.commit"})
        elif self.flavour == "vllm":
            self._append(self.resampled(b"", is_last=True))
            self.say({"type": "input_audio_buffer.commit", "final": True})
        else:
            self._send_tail(self.resampled(bytes(round(_TAIL_SECONDS * 8000) * 2), is_last=True))
            self._look()

    def understand(self, said: dict[str, Any], _now: float) -> list[Heard]:
        """An event."""
        item = str(said.get("item_id") or "")
        match said.get("type"):
            case "session.created" | "session.updated" as kind:
                self._session(kind, said)
            case "input_audio_buffer.partial_transcription":
                return self._partly(item, str(said.get("transcript") or ""))
            case str() as kind if kind in TURN_EVENTS:
                self._turn(item)
                self._turns.heard(kind, item, said.get("audio_end_ms"))
            case "transcription.delta":
                return self._grown("", str(said.get("delta") or ""))
            case "transcription.done":
                self._texts = {"": str(said.get("text") or "")}
                return [self._last()]
            case kind if kind == f"{_ITEM}.delta":
                self._turn(item)
                return self._grown(item, str(said.get("delta") or ""))
            case kind if kind == f"{_ITEM}.completed":
                return self._completed(item, str(said.get("transcript") or ""), said.get("usage"))
            case kind if kind == f"{_ITEM}.failed":
                raise self._error(said.get("error"))
            case "error":
                self._complaint(said)
        self._look()
        return []

    def tick(self) -> list[Heard]:
        """Speaches has no turn open and began none."""
        return [self._last()]

    def closed(self, code: int, reason: str) -> list[Heard]:
        """Never how it ends."""
        if code == _POLICY_VIOLATION:
            raise wrong_key(self.name)
        return super().closed(code, reason)

    def _begin(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.is_ready = True
        self.set_rate(_RATES[flavour])
        match flavour:
            case "openai":
                self.say({"type": "session.update", "session": self._openai_session()})
            case "speaches":
                self._update()
            case "vllm":
                self.say({"type": "session.update", "model": self._model})
                self.say({"type": "input_audio_buffer.commit"})

    def _update(self) -> None:
        """How speaches closes turns; said again, it is asked how far it is."""
        turns = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": _TURN_SILENCE_MS}
        self.say({"type": "session.update", "session": {"turn_detection": turns}})
        self._turns.asked()

    def _session(self, kind: str, said: Mapping[str, Any]) -> None:
        """It began, or was told how turns are closed."""
        if kind == "session.created":
            self._begin(_flavour(said))
            return
        self._turns.answered()
        if self._has_ended and self._turns.wants_silence:
            self._send_tail(bytes(round(_MORE_TAIL_SECONDS * _RATES["speaches"]) * 2))

    def _send_tail(self, silence: bytes) -> None:
        self._append(silence)
        self._update()

    def _openai_session(self) -> dict[str, Any]:
        transcription: dict[str, Any] = {"model": self._model, "language": self._language}
        if self._hints:
            transcription["prompt"] = ", ".join(self._hints)
        audio = {
            "format": {"type": "audio/pcmu"},
            "transcription": transcription,
            "turn_detection": None,
        }
        return {"type": "transcription", "audio": {"input": audio}}

    def _append(self, data: bytes) -> None:
        if data:
            self.say({"type": "input_audio_buffer.append", "audio": b64encode(data).decode()})

    def _turn(self, item: str) -> None:
        if item not in self._texts:
            self._texts[item] = ""
            self._open.add(item)

    def _grown(self, item: str, delta: str) -> list[Heard]:
        self._texts[item] = self._texts.get(item, "") + delta
        return [Heard(text=joined(*self._texts.values()))]

    def _partly(self, item: str, transcript: str) -> list[Heard]:
        if item not in self._open:
            return []
        self._texts[item] = transcript
        return [Heard(text=joined(*self._texts.values()))]

    def _completed(self, item: str, transcript: str, usage: object) -> list[Heard]:
        self._texts[item] = transcript  # again is no harm: a server that repeats a turn gives it once
        self._open.discard(item)
        self._turns.completed(item, usage)
        if self._has_ended and not self._open and self.flavour == "openai":
            return [self._last()]
        self._look()
        return [Heard(text=joined(*self._texts.values()))]

    def _look(self) -> None:
        """Speaches is over when no turn is open and none can begin any more, which it never says."""
        self.look_in = None
        if self._has_ended and self.flavour == "speaches" and not self._open:
            has_text = any(self._texts.values())
            self.look_in = self._turns.quiet_seconds(seconds(self._samples), has_text=has_text)

    def _last(self) -> Heard:
        self.is_over, self.look_in = True, None
        return Heard(text=joined(*self._texts.values()), is_last=True)

    def _complaint(self, said: Mapping[str, Any]) -> None:
        """An `error`, unless it is a turn that speaches closed twice, as two pieces showed it the silence."""
        if self.flavour != "speaches" or "already exists" not in str(said.get("error")):
            raise self._error(said.get("error"), said.get("code"))

    def _error(self, error: object, code: object = None) -> SttError:
        """Theirs as ours: OpenAI and speaches write an object, vLLM a sentence."""
        about = error if isinstance(error, dict) else {"message": error, "code": code}
        kind = f"{about.get('code')} {about.get('type')}".lower()
        said = quoted(about.get("message"))
        if "api_key" in kind or "authentication" in kind:
            return wrong_key(self.name, said=said)
        if "rate_limit" in kind or "quota" in kind:
            return SttOverloadedError(self.name, f"the server has no room now{said}")
        if "invalid" in kind or "not_found" in kind or "unsupported" in kind:
            return refused(self.name, said)
        return failed(self.name, said)


def _flavour(created: Mapping[str, Any]) -> Flavour:
    """By the session: OpenAI's has a type, the older shape that speaches keeps names its formats."""
    session = created.get("session")
    if not isinstance(session, dict):
        return "vllm"
    if "audio" in session or session.get("type") in ("transcription", "realtime"):
        return "openai"
    return "speaches" if "input_audio_format" in session or "turn_detection" in session else "vllm"


def realtime_call(address: Address, asked: Asked) -> Call:
    """Where an utterance goes; OpenAI's own address takes no model."""
    query = {"intent": "transcription"}
    if not address.is_hosted:
        query |= {"model": asked.model, "language": asked.language}
    return Call(
        url=f"{address.url}?{urlencode(query)}",
        headers=bearer(asked.key),
        conversation=RealtimeConversation(
            asked.name, language=asked.language, model=asked.model, hints=asked.hints
        ),
    )
