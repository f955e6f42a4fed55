"""WhisperLiveKit's own `/asr`. No I/O.

The server says first whether it takes raw audio. Then each message has all `lines` that are settled and the
`buffer_transcription` behind them; an empty message ends the audio, and `ready_to_stop` says that all of it
was heard. The server leaves the socket open afterwards.
"""

from typing import Any, Final
from urllib.parse import urlencode

from slukh.errors import SttRequestError
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.conversation import WRONG_TOKEN, Asked, Call, Conversation, Heard, joined
from slukh.stt.whisper.failures import failed, quoted, refused, wrong_key
from slukh.types import AudioChunk

RATE_HERTZ: Final = 16000
_SILENCE = -2  # the speaker of a line in which nobody speaks
_WRONG_PARAMETERS = 4400


class WhisperLiveKitConversation(Conversation):
    """One utterance."""

    def __init__(self, name: str) -> None:
        super().__init__(name, rate_hertz=RATE_HERTZ)
        self._text = self._language = ""

    def open(self) -> None:
        """Nothing: the server speaks first."""

    def audio(self, chunk: AudioChunk) -> None:
        """Raw int16 at 16 kHz. Never an empty message: that is the end."""
        if data := self.resampled(chunk.pcm):
            self.say(data)

    def end(self) -> None:
        """The empty message."""
        if data := self.resampled(b"", is_last=True):
            self.say(data)
        self.say(b"")

    def understand(self, said: dict[str, Any], _now: float) -> list[Heard]:
        """Its configuration, text, or the end."""
        match said.get("type"):
            case "config":
                if not said.get("useAudioWorklet"):
                    raise SttRequestError(
                        self.name,
                        "WhisperLiveKit wants a container: start it with --pcm-input",
                        remedy="start WhisperLiveKit with --pcm-input, or use its deepgram+ws:// address",
                    )
                self.is_ready = True
                return []
            case "ready_to_stop":
                self.is_over = True
                return [Heard(text=self._text, is_last=True, language=self._language)]
            case "error":
                raise refused(self.name, quoted(said.get("error")))
        if said.get("error"):
            raise failed(self.name, quoted(said["error"]))
        if "lines" not in said and "buffer_transcription" not in said:
            return []
        text = _text(said)
        if text == self._text:  # said again as time passes, not heard again: the agreement would count it
            return []
        self._text, self._language = text, _language(said)
        return [Heard(text=text)]

    def closed(self, code: int, reason: str) -> list[Heard]:
        """Its two codes of its own, else as others."""
        if code == WRONG_TOKEN:
            raise wrong_key(self.name)
        if code == _WRONG_PARAMETERS:
            raise refused(self.name, quoted(reason))
        return super().closed(code, reason)


def _lines(said: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in said.get("lines") or () if line.get("speaker") != _SILENCE]


def _text(said: dict[str, Any]) -> str:
    return joined(*(line.get("text") for line in _lines(said)), said.get("buffer_transcription"))


def _language(said: dict[str, Any]) -> str:
    """The first that it says, or nothing."""
    return next((str(found) for line in _lines(said) if (found := line.get("detected_language"))), "")


def whisperlivekit_call(address: Address, asked: Asked) -> Call:
    """Where an utterance goes; the server has one model and takes no hints."""
    query = {"language": asked.language, "mode": "full"} | ({"token": asked.key} if asked.key else {})
    return Call(url=f"{address.url}?{urlencode(query)}", conversation=WhisperLiveKitConversation(asked.name))
