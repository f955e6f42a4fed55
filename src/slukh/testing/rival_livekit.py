"""Calls through LiveKit's `stt.FallbackAdapter`. Runs in the environment that `rivals.py` makes, not in ours.

Its members are LiveKit's own plug-ins, Google's with a channel to the local Google. Reads one JSON object
from stdin and writes a JSON line for everything that happens; moments are monotonic seconds.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.auth.credentials import AnonymousCredentials
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from livekit import rtc  # type: ignore[import-not-found]  # in the other environment
from livekit.agents import stt, vad  # type: ignore[import-not-found]  # likewise
from livekit.plugins import google, openai  # type: ignore[import-not-found]  # likewise

RATE, FRAME = 8000, 160
ENDPOINT_FRAMES = 25  # of silence, half a second, as ours
LOUD = 1000  # mean absolute level of a frame that holds a voice


class LocalGoogle(google.STT):  # type: ignore[misc]  # Any here
    """LiveKit's Google plug-in on a plain channel."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(
            languages="uk-UA", model="chirp_3", location="eu", project="bench", sample_rate=RATE,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]  # google-auth's has no types
        )  # fmt: skip
        self._endpoint = endpoint

    async def _create_client(self, timeout: float) -> SpeechAsyncClient:  # noqa: ARG002, ASYNC109  # theirs
        channel = grpc.aio.insecure_channel(self._endpoint)
        return SpeechAsyncClient(transport=SpeechGrpcAsyncIOTransport(channel=channel))


class EnergyVad(vad.VAD):  # type: ignore[misc]  # likewise
    """Certain of every frame above a loudness, as the detector of our own bench."""

    def __init__(self) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=FRAME / RATE))

    def stream(self) -> "EnergyVadStream":
        """One stream's."""
        return EnergyVadStream(self)


class EnergyVadStream(vad.VADStream):  # type: ignore[misc]  # likewise
    """Start of speech, and after half a second of silence its end with everything in between."""

    async def _main_task(self) -> None:
        frames: list[Any] = []
        silence = 0
        async for frame in self._input_ch:
            if not isinstance(frame, rtc.AudioFrame):
                continue
            loud = sum(map(abs, frame.data)) / len(frame.data) > LOUD
            silence = 0 if loud else silence + 1
            if loud and not frames:
                self._say(vad.VADEventType.START_OF_SPEECH, [frame])
            if loud or frames:
                frames.append(frame)
            if frames and silence == ENDPOINT_FRAMES:
                self._say(vad.VADEventType.END_OF_SPEECH, frames)
                frames = []

    def _say(self, kind: Any, frames: list[Any]) -> None:  # noqa: ANN401  # their enumeration
        self._event_ch.send_nowait(
            vad.VADEvent(
                type=kind, samples_index=0, timestamp=time.time(), speech_duration=0.0,
                silence_duration=0.0, frames=list(frames),
            )
        )  # fmt: skip


def tell(call: int, kind: str, text: str = "") -> None:
    """One line."""
    sys.stdout.write(json.dumps({"call": call, "kind": kind, "text": text, "at": time.monotonic()}) + "\n")
    sys.stdout.flush()


async def listen(call: int, stream: Any) -> None:  # noqa: ANN401  # theirs
    """Tell what one call hears, until its stream breaks."""
    kinds = {
        stt.SpeechEventType.FINAL_TRANSCRIPT: "final",
        stt.SpeechEventType.INTERIM_TRANSCRIPT: "interim",
    }
    try:
        async for event in stream:
            if event.type in kinds and event.alternatives:
                tell(call, kinds[event.type], event.alternatives[0].text)
    except Exception as error:  # noqa: BLE001  # whatever it is, the adapter has given up
        tell(call, "ended", str(error))


async def main(asked: dict[str, Any], audio: list[bytes]) -> None:
    """All calls of a batch, at the pace of speech."""
    streams = []
    for number in range(len(audio)):
        members = [
            LocalGoogle(asked["google"]),
            openai.STT(base_url=f"{asked['whisper']}/v1", api_key="none", model="whisper-1", language="uk"),
        ]
        if asked["direction"] == "whisper->google":
            members.reverse()
        adapter = stt.FallbackAdapter(members, vad=EnergyVad(), **asked["settings"])
        adapter.on(
            "stt_availability_changed",
            lambda event, number=number: None if event.available else tell(number, "unavailable"),
        )
        streams.append(adapter.stream())
    listening = [asyncio.create_task(listen(number, stream)) for number, stream in enumerate(streams)]
    began = time.monotonic()
    tell(-1, "began")
    for at in range(0, len(audio[0]), FRAME * 2):
        await asyncio.sleep(max(0.0, began + at / 2 / RATE - time.monotonic()))
        for pcm, stream, task in zip(audio, streams, listening, strict=True):
            if not task.done():
                stream.push_frame(rtc.AudioFrame(pcm[at : at + FRAME * 2], RATE, 1, FRAME))


if __name__ == "__main__":
    batch = json.loads(sys.stdin.read())
    asyncio.run(main(batch, [Path(path).read_bytes() for path in batch["audio"]]))
