"""The caller's side: announce a call, play a recording into it at the pace of speech, follow it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import httpx

from slukh.audio import samples_from_linear16
from slukh.audio_files import Recording, write_wav
from slukh.errors import ServiceError, TelephonyError
from slukh.handset import between_pauses, handset
from slukh.ports import reserved_port
from slukh.telephony.audiosocket import AUDIO_8K, AudioSocketCodec, encode_frame, encode_id
from slukh.telephony.base import PeerHungUp
from slukh.types import samples_from_ms

_FRAME_MS = 20
FAST = 8.0  # times real time; faster would only queue in front of the recogniser

OnEvent = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """A call to place.

    Attributes:
        recording: what the caller says.
        host: of the gateway's AudioSocket.
        port: likewise.
        api: its HTTP address, such as `http://127.0.0.1:8080`.
        token: its bearer token, or None.
        language_code: BCP-47, or None for the gateway's default.
        caller: the caller's number, or None to withhold it.
        pace: 1.0 is the pace of speech.
        waits: the caller says a sentence at a time, and waits for what is said to each.
        further: what they say after `recording`, when they wait.
        save: where what the gateway said is written, as a wav.
    """

    recording: Recording
    host: str
    port: int
    api: str
    token: str | None = None
    language_code: str | None = None
    caller: str | None = None
    pace: float = 1.0
    waits: bool = False
    further: tuple[Recording, ...] = ()
    save: Path | None = None


async def place_call(plan: CallPlan, on_event: OnEvent) -> Mapping[str, object]:
    """Place a call and stay to its end.

    Args:
        plan: the call.
        on_event: told every event of the call as it happens.

    Returns:
        The gateway's record of the call.

    Raises:
        ServiceError: the gateway is not there, refuses the call, or closes the line.
    """
    call_id = str(uuid4())
    try:
        async with _client_of(plan) as api:
            await _announce(api, plan, call_id)
            following = asyncio.create_task(_follow(api, call_id, on_event))
            try:
                await (_converse(plan, call_id) if plan.waits else _play(plan, call_id))
                await following
            finally:
                following.cancel()
            record = (await api.get(f"/v1/calls/{call_id}")).raise_for_status().json()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceError(
            f"the gateway's API at {plan.api} failed ({str(error) or type(error).__name__})",
            remedy="start `slukh serve`, or name its address with --api",
        ) from error
    return dict(record)


@asynccontextmanager
async def running_gateway(plan: CallPlan, note: Callable[[str], None]) -> AsyncIterator[CallPlan]:
    """The plan, with a gateway of its own: a `slukh serve` on free ports that lives as long as the block.

    Raises:
        ServiceError: it did not become ready.
    """
    with reserved_port() as media, reserved_port() as http:
        # What fails in hearing is among the call's events; what fails in answering is only in the log.
        level = "WARNING" if os.environ.get("SLUKH_DIALOG") else "ERROR"
        environment = os.environ | {
            "SLUKH_AUDIOSOCKET_HOST": "127.0.0.1",
            "SLUKH_AUDIOSOCKET_PORT": str(media),
            "SLUKH_WEBSOCKET_PORT": "",
            "SLUKH_HTTP_HOST": "127.0.0.1",
            "SLUKH_HTTP_PORT": str(http),
            "SLUKH_LOG_LEVEL": os.environ.get("SLUKH_LOG_LEVEL", level),
        }
        note(f"starting a gateway: AudioSocket 127.0.0.1:{media}, HTTP 127.0.0.1:{http}")
        server = await asyncio.create_subprocess_exec(sys.executable, "-m", "slukh", "serve", env=environment)
        try:
            own = replace(plan, host="127.0.0.1", port=media, api=f"http://127.0.0.1:{http}")
            await _until_ready(own.api, server)
            note("ready")
            yield own
        finally:
            if server.returncode is None:
                server.terminate()
            await server.wait()


async def _until_ready(api: str, server: asyncio.subprocess.Process) -> None:
    wrong = "it does not answer"
    async with httpx.AsyncClient(base_url=api, timeout=2.0, trust_env=False) as client:
        for _ in range(300):
            if server.returncode is not None:
                raise ServiceError("the gateway stopped while it started", remedy="it said why, above")
            try:
                answer = await client.get("/readyz")
            except httpx.HTTPError:
                pass
            else:
                if answer.is_success:
                    return
                wrong = "; ".join(answer.json()["wrong"].values())
            await asyncio.sleep(0.2)
    raise ServiceError(f"the gateway is not ready after 60 s ({wrong})", remedy="run `slukh doctor`")


def _client_of(plan: CallPlan) -> httpx.AsyncClient:
    """For its API, never through a proxy of the environment: the gateway is ours."""
    headers = {} if plan.token is None else {"authorization": f"Bearer {plan.token}"}
    return httpx.AsyncClient(base_url=plan.api, headers=headers, timeout=10.0, trust_env=False)


async def _announce(api: httpx.AsyncClient, plan: CallPlan, call_id: str) -> None:
    body = {"call_id": call_id, "caller": plan.caller, "language_code": plan.language_code}
    response = await api.post("/v1/calls", json={k: v for k, v in body.items() if v is not None})
    try:
        answer = dict(response.json())
        if answer.get("call_id") == call_id:
            return
        problem, remedy = answer["error"]["problem"], answer["error"]["remedy"]
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceError(
            f"{plan.api} is no Slukh gateway (it answers {response.status_code})",
            remedy="name the gateway's HTTP address with --api",
        ) from error
    raise ServiceError(f"the call was refused: {problem}", remedy=remedy)


async def _follow(api: httpx.AsyncClient, call_id: str, on_event: OnEvent) -> None:
    async with api.stream(
        "GET", f"/v1/calls/{call_id}/events", timeout=httpx.Timeout(10.0, read=60.0)
    ) as feed:
        feed.raise_for_status()
        async for line in feed.aiter_lines():
            if line.startswith("data: "):
                on_event(json.loads(line.removeprefix("data: ")))


async def _play(plan: CallPlan, call_id: str) -> None:
    """The media side: one identifying frame, then 20 ms of audio every 20 ms, then the end of the file."""
    try:
        reader, writer = await asyncio.open_connection(plan.host, plan.port)
    except OSError as error:
        raise ServiceError(
            f"no AudioSocket at {plan.host}:{plan.port} ({error.strerror or error})",
            remedy="start `slukh serve`, or name its address with --to",
        ) from error
    try:
        writer.write(encode_id(call_id))
        listening = asyncio.create_task(_listen(reader))
        async for frame in _paced(plan.recording, plan.pace):
            if listening.done():
                break
            writer.write(encode_frame(AUDIO_8K, frame))
            await writer.drain()
        if not listening.done():
            writer.write_eof()  # how Asterisk hangs up
        await listening
    except (OSError, TelephonyError) as error:
        raise ServiceError(f"the line broke ({error})", remedy="the gateway's log says why") from error
    finally:
        writer.close()


async def _converse(plan: CallPlan, call_id: str) -> None:
    """A caller who lets the other side finish: the greeting first, then every sentence and its answer."""
    async with handset(plan.host, plan.port, call_id) as phone:
        await phone.answered()
        for recording in (plan.recording, *plan.further):
            for sentence in between_pauses(recording.samples):
                if not phone.was_hung_up:
                    await phone.say(sentence)
                    await phone.answered()
    if plan.save is not None:
        write_wav(plan.save, samples_from_linear16(bytes(phone.heard)))


async def _paced(recording: Recording, pace: float) -> AsyncIterator[bytes]:
    """20 ms frames on a schedule that does not drift."""
    step = samples_from_ms(_FRAME_MS)
    began = asyncio.get_running_loop().time()
    for number, at in enumerate(range(0, len(recording.samples), step)):
        due = began + number * _FRAME_MS / 1000 / pace
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        yield recording.samples[at : at + step].tobytes()


async def _listen(reader: asyncio.StreamReader) -> None:
    """Take what the gateway sends, to the end of the line or its hang-up."""
    codec = AudioSocketCodec(side="caller")
    while data := await reader.read(65536):
        if any(isinstance(event, PeerHungUp) for event in codec.receive_data(data)):
            return
