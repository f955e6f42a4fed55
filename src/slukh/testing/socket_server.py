"""A WebSocket server on loopback that says what a script says, for tests of the socket dialects.

    async with SocketServer(whisperlive(says("добрий", "добрий день"))) as server:
        ...                        # point a recogniser at whisperlive+ws://127.0.0.1:PORT
        server.received            # every message of every connection

A script is a coroutine over one connection. Those here keep the wire forms of the real servers, which are too
large to be installed with the tests: WhisperLiveKit 0.2.26, speaches 0.9.0-rc.3, vLLM, OpenAI and Deepgram.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State

_SECOND_OF_16_KHZ = 32000  # bytes
_DECODE_SECONDS = 0.02
Script = Callable[["Peer"], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Peer:
    """A client's connection, as a script sees it.

    Attributes:
        path: of its request, with the query.
        authorization: that header, or empty.
        messages: all that it sent.
        audio: the binary messages, or what was in base64.
    """

    connection: ServerConnection
    path: str
    authorization: str
    messages: list[Any] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)

    async def hear(self) -> Any:  # noqa: ANN401  # bytes, or what stood in JSON
        """The next message, kept."""
        message: Any = await self.connection.recv()
        if isinstance(message, str):
            message = json.loads(message)
            if message.get("type") == "input_audio_buffer.append":
                self.audio += base64.b64decode(message["audio"])
        else:
            self.audio += message
        self.messages.append(message)
        return message

    async def hear_until(self, is_last: Callable[[Any], bool]) -> None:
        """Messages up to one of a kind."""
        while not is_last(await self.hear()):
            pass

    async def say(self, **fields: Any) -> None:  # noqa: ANN401  # JSON
        """A message."""
        await self.connection.send(json.dumps(fields, ensure_ascii=False))


class SocketServer:
    """See the module.

    Args:
        script: of every connection.
        key: that a handshake must carry, as a header or in the query; None takes all.
        refusal: status and body that every handshake is answered with; None answers by the script.

    Attributes:
        peers: everybody who connected.
    """

    def __init__(
        self,
        script: Script,
        *,
        key: str | None = None,
        refusal: tuple[HTTPStatus, str] | None = None,
    ) -> None:
        self.script = script
        self.peers: list[Peer] = []
        self._key = key
        self._refusal = refusal
        self._server: Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, process_request=self._admit, ping_interval=None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def received(self) -> list[Any]:
        """Every message of every connection."""
        return [message for peer in self.peers for message in peer.messages]

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._refusal is not None:
            return connection.respond(*self._refusal)
        carried = f"{request.headers.get('Authorization', '')} {request.path}"
        if self._key is None or self._key in carried:
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "Unauthorized\n")

    async def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        peer = Peer(
            connection=connection,
            path=request.path,
            authorization=request.headers.get("Authorization", ""),
        )
        self.peers.append(peer)
        try:
            await self.script(peer)
        except ConnectionClosed:
            return


def whisperlive(texts: Sequence[str]) -> Script:
    """WhisperLive 0.10.0: a text now and then, at last the whole one again and again, and no goodbye."""

    async def script(peer: Peer) -> None:
        options = await peer.hear()
        if not {"uid", "language", "task", "model"} <= options.keys():
            return
        await peer.say(uid=options["uid"], message="SERVER_READY", backend="faster_whisper")
        for text in texts[:-1]:
            await peer.hear()
            await _segments(peer, options["uid"], text)
        while len(peer.audio) < _SECOND_OF_16_KHZ or any(peer.audio[-_SECOND_OF_16_KHZ // 2 :]):
            await peer.hear()
        while peer.connection.state is State.OPEN:
            await _segments(peer, options["uid"], texts[-1])
            await asyncio.sleep(_DECODE_SECONDS)

    return script


async def _segments(peer: Peer, uid: str, text: str) -> None:
    half = len(text) // 2
    done, growing = text[:half], text[half:]
    segments = [{"start": "0.000", "end": "1.000", "text": done, "completed": True}] if done else []
    segments.append({"start": "1.000", "end": "2.000", "text": growing, "completed": False})
    await peer.say(uid=uid, segments=segments)


def deepgram(
    finals: Sequence[str], *, interims: Sequence[str] = (), confidence: float = 0.0, goodbye: bool = True
) -> Script:
    """`/v1/listen` as WhisperLiveKit 0.2.26 serves it, and with a confidence as Deepgram does."""

    def results(text: str, *, is_final: bool) -> dict[str, Any]:
        alternative = {"transcript": text, "confidence": confidence if is_final else 0.0, "words": []}
        return {
            "type": "Results", "is_final": is_final, "speech_final": is_final, "start": 0.0, "duration": 1.0,
            "channel": {"alternatives": [alternative]},
        }  # fmt: skip

    async def script(peer: Peer) -> None:
        await peer.say(type="Metadata", request_id="0", duration=0, channels=1)
        for interim in interims:
            await peer.hear()
            await peer.say(**results(interim, is_final=False))
        await peer.hear_until(lambda m: isinstance(m, dict) and m.get("type") == "CloseStream")
        for final in finals:
            await peer.say(**results(final, is_final=True))
        if goodbye:
            await peer.say(type="Metadata", request_id="0", duration=2.5, channels=1)
            await peer.connection.close(1000)
        else:
            await peer.connection.wait_closed()

    return script


def whisperlivekit(texts: Sequence[str], *, pcm_input: bool = True) -> Script:
    """`/asr` of WhisperLiveKit 0.2.26: what is settled in lines, the rest in the buffer."""

    async def script(peer: Peer) -> None:
        await peer.say(type="config", useAudioWorklet=pcm_input, mode="full")
        for text in texts[:-1]:
            await peer.hear()
            await _front(peer, "", text)
        await peer.hear_until(lambda message: message == b"")
        await _front(peer, texts[-1], "")
        await peer.say(type="ready_to_stop")
        await peer.connection.wait_closed()

    return script


async def _front(peer: Peer, settled: str, buffer: str) -> None:
    lines: list[dict[str, Any]] = [{"speaker": -2, "text": "", "start": "0:00:00.00", "end": "0:00:00.20"}]
    if settled:
        lines.append({"speaker": 1, "text": settled, "start": "0:00:00.20", "end": "0:00:02.00"})
    await peer.say(status="active_transcription", lines=lines, buffer_transcription=buffer)


_TRANSCRIPTION = "conversation.item.input_audio_transcription"


def openai_realtime(text: str) -> Script:
    """OpenAI's GA shape, transcription session."""

    async def script(peer: Peer) -> None:
        await peer.say(type="session.created", session={"type": "transcription", "audio": {"input": {}}})
        await peer.hear()
        await peer.say(type="session.updated")
        await peer.hear_until(lambda m: m["type"] == "input_audio_buffer.commit")
        await peer.say(type="input_audio_buffer.committed", item_id="item_1", previous_item_id=None)
        for word in text.split():
            await peer.say(
                type=f"{_TRANSCRIPTION}.delta", item_id="item_1", content_index=0, delta=f"{word} "
            )
        await peer.say(type=f"{_TRANSCRIPTION}.completed", item_id="item_1", transcript=text)
        await peer.connection.wait_closed()

    return script


def speaches_realtime(turns: Sequence[str]) -> Script:
    """Speaches 0.9: turns of its own voice detection, completed out of order, and never a delta.

    It closes none before the second piece of silence, and answers what it is told in turn.
    """

    async def script(peer: Peer) -> None:
        session = {"input_audio_format": "pcm16", "turn_detection": {"type": "server_vad"}}
        await peer.say(type="session.created", session=session)
        await peer.hear()
        await peer.hear()
        for number in range(len(turns)):
            await peer.say(
                type="input_audio_buffer.speech_started", item_id=f"item_{number}", audio_start_ms=0
            )
        for _ in range(2 if turns else 1):  # it closes none in three seconds
            await peer.say(type="session.updated", session=session)
            await peer.hear_until(lambda message: message.get("type") == "session.update")
        for number in range(len(turns)):
            stopped = {"item_id": f"item_{number}", "audio_end_ms": 1000}
            await peer.say(type="input_audio_buffer.speech_stopped", **stopped)
        await peer.say(type="session.updated", session=session)
        for number, turn in reversed(list(enumerate(turns))):
            await peer.say(type="input_audio_buffer.committed", item_id=f"item_{number}")
            await peer.say(type=f"{_TRANSCRIPTION}.completed", item_id=f"item_{number}", transcript=turn)
        await peer.connection.wait_closed()

    return script


def vllm_realtime(text: str) -> Script:
    """VLLM's own dialect."""

    async def script(peer: Peer) -> None:
        await peer.say(type="session.created", id="sess-1", created=1)
        update = await peer.hear()
        if not update.get("model"):
            await peer.say(type="error", error="model is required", code="model_not_validated")
            return
        assert (await peer.hear())["type"] == "input_audio_buffer.commit"
        await peer.hear_until(lambda m: m.get("final") is True)
        for word in text.split():
            await peer.say(type="transcription.delta", delta=f" {word}")
        await peer.say(type="transcription.done", text=text, usage={"total_tokens": 1})
        await peer.connection.wait_closed()

    return script
