"""Calls through Pipecat's `ServiceSwitcherStrategyFailover`. Runs in the environment that `rivals.py` makes.

Its members are Pipecat's own services, Google's with a channel to the local Google. Reads one JSON object
from stdin and writes a JSON line for everything that happens; moments are monotonic seconds.

    settings   {"switches_on_any_error": 1}: a strategy of one's own, as its documentation suggests, because
               the one that ships leaves every error alone that it does not call permanent
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from pipecat.frames.frames import (  # type: ignore[import-not-found]  # in the other environment
    ErrorFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline  # type: ignore[import-not-found]  # likewise
from pipecat.pipeline.service_switcher import (  # type: ignore[import-not-found]  # likewise
    ServiceSwitcher,
    ServiceSwitcherStrategyFailover,
)
from pipecat.pipeline.worker import PipelineParams, PipelineWorker  # type: ignore[import-not-found]  # likewise
from pipecat.processors.frame_processor import FrameProcessor  # type: ignore[import-not-found]  # likewise
from pipecat.services.google.stt import GoogleSTTService  # type: ignore[import-not-found]  # likewise
from pipecat.services.openai.stt import OpenAISTTService  # type: ignore[import-not-found]  # likewise
from pipecat.transcriptions.language import Language  # type: ignore[import-not-found]  # likewise
from pipecat.workers.runner import WorkerRunner  # type: ignore[import-not-found]  # likewise

RATE, FRAME = 8000, 160
ENDPOINT_FRAMES = 25  # of silence, half a second, as ours
LOUD = 1000  # mean absolute level of a frame that holds a voice


def any_key() -> str:
    """A service account that nobody asks for: the channel carries no credentials."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps({
        "type": "service_account", "project_id": "bench", "private_key": pem.decode(),
        "client_email": "nobody@example.org", "token_uri": "https://example.org/token",
    })  # fmt: skip


class LocalGoogle(GoogleSTTService):  # type: ignore[misc]  # Any here
    """Pipecat's Google service on a plain channel."""

    def __init__(self, endpoint: str, key: str) -> None:
        settings = GoogleSTTService.Settings(languages=[Language.UK_UA], model="chirp_3")
        super().__init__(credentials=key, location="eu", sample_rate=RATE, settings=settings)
        channel = grpc.aio.insecure_channel(endpoint)
        self._client = SpeechAsyncClient(transport=SpeechGrpcAsyncIOTransport(channel=channel))


class SwitchesOnAnyError(ServiceSwitcherStrategyFailover):  # type: ignore[misc]  # likewise
    """The next service, whatever the error was."""

    async def handle_error(self, error: Any) -> Any:  # noqa: ANN401, ARG002  # theirs
        """Walk the list."""
        services = self.services
        following = services[(services.index(self.active_service) + 1) % len(services)]
        return await self._set_active_if_available(following)


class Teller(FrameProcessor):  # type: ignore[misc]  # likewise
    """Tells what arrives at the end of one call's pipeline."""

    def __init__(self, call: int) -> None:
        super().__init__()
        self._call = call

    async def process_frame(self, frame: Any, direction: Any) -> None:  # noqa: ANN401  # theirs
        """One line for each text."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            tell(self._call, "final", frame.text)
        elif isinstance(frame, InterimTranscriptionFrame):
            tell(self._call, "interim", frame.text)
        elif isinstance(frame, ErrorFrame) and frame.fatal:
            tell(self._call, "ended", frame.error)
        await self.push_frame(frame, direction)


def tell(call: int, kind: str, text: str = "") -> None:
    """One line."""
    sys.stdout.write(json.dumps({"call": call, "kind": kind, "text": text, "at": time.monotonic()}) + "\n")
    sys.stdout.flush()


def worker_of(call: int, asked: dict[str, Any], key: str) -> tuple[Any, asyncio.Event]:
    """One call's pipeline, and when it is ready."""
    services = [
        LocalGoogle(asked["google"], key),
        OpenAISTTService(
            api_key="none", base_url=f"{asked['whisper']}/v1",
            settings=OpenAISTTService.Settings(model="whisper-1", language=Language.UK),
        ),
    ]  # fmt: skip
    if asked["direction"] == "whisper->google":
        services.reverse()
    is_own = asked["settings"].get("switches_on_any_error")
    strategy = SwitchesOnAnyError if is_own else ServiceSwitcherStrategyFailover
    switcher = ServiceSwitcher(services, strategy_type=strategy)
    worker = PipelineWorker(
        Pipeline([switcher, Teller(call)]),
        cancel_on_idle_timeout=False,
        params=PipelineParams(audio_in_sample_rate=RATE),
    )
    ready = asyncio.Event()

    @worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]  # likewise
    async def started(*_: object) -> None:
        ready.set()

    @switcher.strategy.event_handler("on_service_switched")  # type: ignore[untyped-decorator]  # likewise
    async def switched(*_: object) -> None:
        tell(call, "unavailable")

    return worker, ready


async def speak(audio: bytes, worker: Any) -> None:  # noqa: ANN401  # theirs
    """One call at the pace of speech, with the voice detector's word where speech begins and ends."""
    began, silence, speaking = time.monotonic(), 0, False
    for at in range(0, len(audio), FRAME * 2):
        await asyncio.sleep(max(0.0, began + at / 2 / RATE - time.monotonic()))
        frame = audio[at : at + FRAME * 2]
        loud = sum(map(abs, memoryview(frame).cast("h"))) / FRAME > LOUD
        silence = 0 if loud else silence + 1
        if loud and not speaking:
            speaking = True
            await worker.queue_frame(VADUserStartedSpeakingFrame())
        await worker.queue_frame(InputAudioRawFrame(audio=frame, sample_rate=RATE, num_channels=1))
        if speaking and silence == ENDPOINT_FRAMES:
            speaking = False
            await worker.queue_frame(VADUserStoppedSpeakingFrame())


async def main(asked: dict[str, Any], audio: list[bytes]) -> None:
    """All calls of a batch."""
    key = any_key()
    calls = [worker_of(number, asked, key) for number in range(len(audio))]
    runner = WorkerRunner(handle_sigint=False)
    for worker, _ in calls:
        await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    await asyncio.gather(*(ready.wait() for _, ready in calls))
    tell(-1, "began")
    await asyncio.gather(*(speak(pcm, worker) for pcm, (worker, _) in zip(audio, calls, strict=True)))
    await running  # until it is killed: a cancelled one does not always end


if __name__ == "__main__":
    batch = json.loads(sys.stdin.read())
    asyncio.run(main(batch, [Path(path).read_bytes() for path in batch["audio"]]))
