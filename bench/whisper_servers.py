"""Our client of each real Whisper server against a plain one, in turns: `python bench/whisper_servers.py`.

Both say the stored Ukrainian clip at the pace of speech and wait for its text; what counts is the time from
the end of the audio to the final. The plain client is what one writes in ten lines: the whole file posted at
the end, or for WhisperLive its own protocol until a segment is complete. Then twenty callers at once through
ours: how many get their words, and how late.

    --rounds N    clips of each client (default 5)
    --callers N   at once (default 20); 0 leaves that out
    --json        the numbers, for a machine

The servers are installed from PyPI into environments of their own (half a gigabyte each, once).
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

import httpx
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from slukh.audio import Resampler, linear16_from_samples, samples_from_linear16, wav_from_linear16
from slukh.conformance.measure import play
from slukh.conformance.report import percentile, revised_share
from slukh.errors import ServiceError
from slukh.experiment.wer import character_errors, plain_text
from slukh.routing.health import Clip, stored_clips
from slukh.stt.whisper.address import address
from slukh.stt.whisper.servers import server_at
from slukh.stt.whisper.wyoming_events import Event, Events, encoded
from slukh.testing.real_whisper import SERVERS, RealServer, Running, running
from slukh.weights import find_whisper, weights_dir

UK = stored_clips()[0]
WAIT_SECONDS = 600.0
UNDERSTOOD = 0.35  # of the characters may be wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server; seconds from the end of the audio to the final."""

    server: str
    ours: list[float]
    plain: list[float]
    first_interim: float | None
    revised: float | None
    callers: int = 0
    understood: int = 0
    callers_p50: float = 0.0
    callers_p95: float = 0.0

    @property
    def ratio(self) -> float:
        """Ours to the plain one's, medians."""
        return median(self.ours) / median(self.plain)

    @property
    def added_p95(self) -> float:
        """Seconds that our 95th percentile is above the plain one's."""
        return percentile(sorted(self.ours), 0.95) - percentile(sorted(self.plain), 0.95)


async def plain_http(run: Running, model: str) -> float:
    async with httpx.AsyncClient(trust_env=False, timeout=WAIT_SECONDS) as client:
        await client.get(f"http://127.0.0.1:{run.port}/health")  # connected, as ours is
        await asyncio.sleep(len(UK.pcm) / 16000)
        began = time.monotonic()
        answer = await client.post(
            f"http://127.0.0.1:{run.port}/v1/audio/transcriptions",
            data={"model": model, "language": "uk", "response_format": "verbose_json", "temperature": "0"},
            files={"file": ("clip.wav", wav_from_linear16(UK.pcm), "audio/wav")},
        )
        assert answer.json()["text"]
        return time.monotonic() - began


async def plain_wyoming(run: Running, _model: str) -> float:
    await asyncio.sleep(len(UK.pcm) / 16000)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", run.port)
    form = {"rate": 8000, "width": 2, "channels": 1}
    writer.write(encoded(Event(type="transcribe", data={"language": "uk"})))
    writer.write(encoded(Event(type="audio-start", data=form)))
    for at in range(0, len(UK.pcm), 2048):
        writer.write(encoded(Event(type="audio-chunk", data=form, payload=UK.pcm[at : at + 2048])))
    writer.write(encoded(Event(type="audio-stop")))
    events = Events()
    while not any(event.type == "transcript" for event in events.receive(await reader.read(65536))):
        pass
    writer.close()
    return time.monotonic() - began


async def plain_whisperlive(run: Running, model: str) -> float:
    resampler = Resampler(8000, 16000)
    async with connect(f"ws://127.0.0.1:{run.port}", proxy=None) as socket:
        options = {"uid": "bench", "language": "uk", "task": "transcribe", "model": model, "use_vad": True}
        await socket.send(json.dumps({**options, "audio_format": "int16"}))
        await socket.recv()
        for at in range(0, len(UK.pcm), 1600):
            pcm = samples_from_linear16(UK.pcm[at : at + 1600])
            await socket.send(linear16_from_samples(resampler.resample(pcm)))
            await asyncio.sleep(0.1)
        began = time.monotonic()
        await socket.send(bytes(64000))
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                segments = json.loads(await socket.recv()).get("segments", [])
                if segments and all(segment["completed"] for segment in segments):
                    return time.monotonic() - began


PLAIN: dict[str, Callable[[Running, str], Awaitable[float]]] = {
    "http": plain_http,
    "wyoming+tcp": plain_wyoming,
    "whisperlive+ws": plain_whisperlive,
}


async def measure(server: RealServer, run: Running, model: str, *, rounds: int, callers: int) -> Row:
    provider = server_at(address(run.address), model=model, final_seconds=WAIT_SECONDS)
    await provider.start()
    await play(provider, UK)  # whatever is loaded at the first use
    ours, plain = [], []
    for _ in range(rounds):
        plain.append(await PLAIN[server.scheme](run, model))
        ours.append(await play(provider, UK))
    crowd = await asyncio.gather(*(play(provider, UK) for _ in range(callers)))
    await provider.aclose()
    late = sorted(p.final_seconds for p in crowd if p.error is None)
    firsts = [p.first_interim_seconds for p in ours if p.first_interim_seconds is not None]
    return Row(
        server=f"{server.package} {server.version}",
        ours=[p.final_seconds for p in ours],
        plain=plain,
        first_interim=median(firsts) if firsts else None,
        revised=revised_share(ours),
        callers=callers,
        understood=sum(is_understood(UK, p.text) for p in crowd),
        callers_p50=percentile(late, 0.5),
        callers_p95=percentile(late, 0.95),
    )


def is_understood(clip: Clip, text: str) -> bool:
    return (character_errors(plain_text(clip.text), plain_text(text)).cer or 0.0) <= UNDERSTOOD


def tables(rows: Sequence[Row]) -> Table:
    table = Table(
        "server", "ours p50", "plain p50", "ratio", "added p95", "first interim", "revised", "callers"
    )
    for row in rows:
        crowd = f"{row.understood} of {row.callers}, p50 {row.callers_p50:.1f} s, p95 {row.callers_p95:.1f} s"
        table.add_row(
            row.server,
            f"{median(row.ours):.2f} s",
            f"{median(row.plain):.2f} s",
            f"{row.ratio:.2f}",
            f"{row.added_p95 * 1000:.0f} ms",
            "none" if row.first_interim is None else f"{row.first_interim:.1f} s",
            "" if row.revised is None else f"{row.revised:.0%}",
            crowd if row.callers else "",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("servers", nargs="*", default=list(SERVERS), help=f"of {', '.join(SERVERS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--callers", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    base = find_whisper(weights_dir(), "base")
    rows = []
    for name in arguments.servers:
        server = SERVERS[name]
        try:
            with running(server, base) as run:
                work = measure(
                    server, run, server.model_name(base), rounds=arguments.rounds, callers=arguments.callers
                )
                rows.append(asyncio.run(work))
        except ServiceError as error:
            Console(stderr=True).print(f"{name} is left out: {error}")
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        Console().print(tables(rows))


if __name__ == "__main__":
    main()
