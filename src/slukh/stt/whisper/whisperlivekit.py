"""WhisperLiveKit's own `/asr`. No I/O.

The server says first whether it takes raw audio. Then each message has all `lines` that are settled and the
`buffer_transcription` behind them; an empty message ends the audio, and `ready_to_stop` says that all of it
was heard. The server leaves the socket open afterwards.
"""

from typing import Any, Final
from urllib.parse import urlencode

from slukh.errors import SttAuthenticationError, SttRequestError, SttStreamError
from slukh.stt.whisper.address import Address
from slukh.stt.whisper.conversation import Asked, Call, Conversation, Heard, joined
from slukh.types import AudioChunk

RATE_HERTZ: Final = 16000
_SILENCE = -2  # the speaker of a line in which nobody speaks
_WRONG_TOKEN, _WRONG_PARAMETERS = 4401, 4400


class WhisperLiveKitConversation(Conversation):
    """One utterance."""

    def __init__(self, name: str) -> None:
        super().__init__(name, rate_hertz=RATE_HERTZ)
        self._text = ""

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
                        self.name, "WhisperLiveKit wants a container: start it with --pcm-input"
                    )
                self.is_ready = True
                return []
            case "ready_to_stop":
                self.is_over = True
                return [Heard(text=self._text, is_last=True)]
            case "error":
                raise SttRequestError(
                    self.name, f'the server refused the session ("{said.get("error")!s:.160}")'
                )
        if said.get("error"):
            raise SttStreamError(self.name, f"the server failed: {said['error']!s:.160}")
        if "lines" not in said and "buffer_transcription" not in said:
            return []
        text = _text(said)
        if text == self._text:  # said again as time passes, not heard again: the agreement would count it
            return []
        self._text = text
        return [Heard(text=text)]

    def closed(self, code: int, reason: str) -> list[Heard]:
        """Its two codes of its own, else as others."""
        if code == _WRONG_TOKEN:
            raise SttAuthenticationError(self.name, "the server wants another key, see WHISPER_API_KEY")
        if code == _WRONG_PARAMETERS:
            raise SttRequestError(self.name, "the server refused the session: see its log")
        return super().closed(code, reason)


def _text(said: dict[str, Any]) -> str:
    lines = [line for line in said.get("lines") or () if line.get("speaker") != _SILENCE]
    return joined(*(line.get("text") for line in lines), said.get("buffer_transcription"))


def whisperlivekit_call(address: Address, asked: Asked) -> Call:
    """Where an utterance goes; the server has one model and takes no hints."""
    query = {"language": asked.language, "mode": "full"} | ({"token": asked.key} if asked.key else {})
    return Call(url=f"{address.url}?{urlencode(query)}", conversation=WhisperLiveKitConversation(asked.name))
