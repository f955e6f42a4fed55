"""Our client of each real Whisper server against a plain one: `python bench/whisper_servers.py [--json]`.

    alone    a caller says the stored Ukrainian clip at the pace of speech, ours and the plain client taking
             turns (and turns in beginning), each on its own connection through the same tap. What counts is
             the time from the end of the audio to the final.
    added    of ours, what the server did not take: the wait less the time between the last byte that reached
             the server and the last one that came back before the final
    interims from the same clips; a server that is too slow to be asked again for interims is asked all the
             same, with every second clip, to see what callers would get of a quicker one
    crowd    1, 5, 10 and 20 callers through the router, half of them Ukrainian and half Russian, who all
             stop speaking at the same moment: finals that are lost, doubled or somebody else's, and how late

    --only SERVER   one of them; may be repeated
    --url URL       instead of them one that runs already, by an address without TLS; may be repeated
    --model NAME    as the servers of --url call theirs (default base)
    --recorded N    instead of the stored clip N recorded people of each language, cut as calls are; the plain
                    client says every fourth
    --rounds N      clips of each client (default 15)
    --callers N...  at once (default 1 5 10 20; none with --url)
    --json          the numbers, for a machine; the tables go to stderr then

The servers are installed from PyPI into environments of their own (half a gigabyte each, once). One that does
not start, or stops answering, is a row that says so. Recorded speech: see bench/local_whisper.py.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from time import monotonic
from urllib.parse import SplitResult, urlsplit

from slukh.conformance.measure import play
from slukh.conformance.report import Played, revised_share
from slukh.errors import ServiceError, SttError
from slukh.speech.vad import SileroModel
from slukh.stt.base import SttProvider
from slukh.stt.whisper.address import address
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.reposting import RepostingDecoder
from slukh.stt.whisper.servers import server_at
from slukh.testing.crowds import crowd
from slukh.testing.plain_whisper import PLAIN
from slukh.testing.real_whisper import SERVERS, running
from slukh.testing.sayings import Said, Sayings, recorded, stored
from slukh.testing.tap import Tap
from slukh.testing.whisper_rows import Interims, Row, tables
from slukh.weights import find_silero, find_whisper, weights_dir

ROOT = Path(__file__).parents[1]
WAIT_SECONDS = 300.0
SERVER_SECONDS = 1200.0  # after which a server is given up
EVERY = 4  # of the recordings the plain client says
EAGER_EVERY = 2  # of the clips, for interims from a server that is too slow for them


class Rivals:
    """Our client of a server and the plain one, each through a tap of its own; what they take is in `row`."""

    def __init__(self, row: Row, url: SplitResult, model: str, taps: tuple[Tap, Tap]) -> None:
        self.row = row
        self.played: list[Played] = []
        self._tap, plain_tap = taps
        self._plain = partial(PLAIN[url.scheme], plain_tap.port, model)
        at_tap = url._replace(netloc=f"127.0.0.1:{self._tap.port}").geturl()
        self.provider = server_at(address(at_tap), model=model, final_seconds=WAIT_SECONDS)

    async def ours(self, said: Said) -> float:
        """Raises SttError."""
        played = await heard(self.provider, said)
        final_at = played.ended_at + played.final_seconds
        self.played.append(played)
        self.row.ours.append(played.final_seconds)
        self.row.added.append(played.final_seconds - self._tap.server_seconds(final_at))
        return played.final_seconds

    async def both(self, said: Said, *, ours_first: bool) -> None:
        """The same clip, one after the other. Raises SttError, OSError or TimeoutError."""
        ours = await self.ours(said) if ours_first else None
        async with asyncio.timeout(WAIT_SECONDS):
            plain = await self._plain(said.clip.pcm, said.clip.language_code)
        self.row.paired.append(await self.ours(said) if ours is None else ours)
        self.row.plain.append(plain)


async def measured(row: Row, url: str, model: str, said: Sayings, crowds: Sequence[int]) -> Row:
    """Everything about one server; what was measured before it fails is kept."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    async with Tap(port, host) as ours_tap, Tap(port, host) as plain_tap:
        rivals = Rivals(row, parts, model, (ours_tap, plain_tap))
        try:
            await rivals.provider.start()
            await heard(rivals.provider, said.clips[0])  # whatever is loaded at the first use
            for number, each in enumerate(said.clips):
                try:
                    if number % said.plain_every:
                        await rivals.ours(each)
                    else:
                        await rivals.both(each, ours_first=number // said.plain_every % 2 == 1)
                except SttError as error:
                    row.lost.append(error.error_type)
                print(f"  {row.server}: clip {number + 1} of {len(said.clips)}", file=sys.stderr)
            told = interims_of(rivals.played)
            if told is None or 2 * len(told.firsts) < told.clips:
                told = await eager_interims(rivals.provider, said.clips[::EAGER_EVERY]) or told
            row = replace(row, interims=told)
            for callers in crowds:
                row.crowd.append(await crowd(rivals.provider, callers))
                print(f"  {row.server}: {row.crowd[-1]}", file=sys.stderr)
        except (SttError, OSError, TimeoutError, ValueError) as error:
            row = replace(row, failed=f"{type(error).__name__}: {error}"[:160])
        finally:
            await rivals.provider.aclose()
    return row


async def heard(provider: SttProvider, said: Said) -> Played:
    """One clip through ours, its first interim counted from the beginning of the voice. Raises SttError."""
    played = await play(provider, said.clip)
    if played.error is not None:
        raise played.error
    if played.first_interim_seconds is None:
        return played
    return replace(played, first_interim_seconds=played.first_interim_seconds - said.lead_seconds)


def interims_of(clips: Sequence[Played], *, is_eager: bool = False) -> Interims | None:
    """What came before the finals, or None when nothing did."""
    firsts = [clip.first_interim_seconds for clip in clips if clip.first_interim_seconds is not None]
    if not firsts:
        return None
    return Interims(
        per_clip=sum(len(clip.interims) for clip in clips) / len(clips),
        firsts=tuple(firsts),
        clips=len(clips),
        revised=revised_share(clips),
        is_eager=is_eager,
    )


async def eager_interims(provider: SttProvider, clips: Sequence[Said]) -> Interims | None:
    """Interims by asking again, however slow the server is."""
    if not isinstance(provider, WhisperProvider) or not isinstance(provider.decoder, RepostingDecoder):
        return None
    eager = WhisperProvider(
        RepostingDecoder(provider.decoder.inner, quick_final_seconds=inf, quick_seconds=inf),
        model=provider.model,
    )
    await heard(eager, clips[0])  # it asks from the first final on
    return interims_of([await heard(eager, said) for said in clips], is_eager=True)


def run(name: str, said: Sayings, crowds: Sequence[int]) -> Row:
    """A server of PyPI, from its start to its end."""
    server, base = SERVERS[name], find_whisper(weights_dir(), "base")
    row = Row(server=f"{name} {server.version}")
    try:
        with running(server, base) as process:
            return run_at(row, process.address, server.model_name(base), said, crowds)
    except ServiceError as error:
        return replace(row, failed=str(error))


def run_at(row: Row, url: str, model: str, said: Sayings, crowds: Sequence[int]) -> Row:
    """A server that runs, and how long it took."""
    began = monotonic()

    async def within() -> Row:
        async with asyncio.timeout(SERVER_SECONDS):
            return await measured(row, url, model, said, crowds)

    try:
        done = asyncio.run(within())
    except TimeoutError:
        done = replace(row, failed=f"not done in {SERVER_SECONDS / 60:.0f} minutes")
    return replace(done, minutes=(monotonic() - began) / 60)


def main() -> None:
    """The servers in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", action="append", choices=SERVERS, metavar="SERVER")
    parser.add_argument("--url", action="append")
    parser.add_argument("--model", default="base")
    parser.add_argument("--recorded", type=int)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--callers", type=int, nargs="*")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # else the server that runs would go on
    silero = SileroModel(find_silero(weights_dir()))
    if arguments.recorded:
        said = recorded(silero, ROOT, arguments.recorded, plain_every=EVERY)
    else:
        said = stored(silero, arguments.rounds)
    if arguments.url:
        crowds = arguments.callers or ()
        rows = [run_at(Row(server=url), url, arguments.model, said, crowds) for url in arguments.url]
    else:
        crowds = [1, 5, 10, 20] if arguments.callers is None else arguments.callers
        rows = [run(name, said, crowds) for name in arguments.only or SERVERS]
    print(tables(rows), file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps([row.summary() for row in rows], ensure_ascii=False))


if __name__ == "__main__":
    main()
