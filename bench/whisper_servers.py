"""Our client of each real Whisper server against a plain one: `python bench/whisper_servers.py [--json]`.

    alone    a caller says the stored Ukrainian clip at the pace of speech, ours and the plain client taking
             turns (and turns in beginning), each on its own connection through the same tap. What counts is
             the time from the end of the audio to the final.
    added    of ours, what the server did not take: the wait less the time between the last byte that reached
             the server and the last one that came back before the final
    interims from the same clips; a server that is too slow to be asked again for interims is asked all the
             same, a few times, to see what callers would get of a quicker one
    crowd    1, 5, 10 and 20 callers through the router, half of them Ukrainian and half Russian, who all
             stop speaking at the same moment: finals that are lost, doubled or somebody else's, and how late

    --only SERVER   one of them; may be repeated
    --rounds N      clips of each client (default 15)
    --callers N...  at once (default 1 5 10 20)
    --json          the numbers, for a machine; the tables go to stderr then

The servers are installed from PyPI into environments of their own (half a gigabyte each, once). One that does
not start, or stops answering, is a row that says so.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from statistics import median
from time import monotonic

from slukh.conformance.measure import play
from slukh.conformance.report import Played, revised_share
from slukh.errors import ServiceError, SttError
from slukh.experiment.wer import character_errors, plain_text
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.health import Clip, stored_clips
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Limits, Upstreams
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.base import SttProvider
from slukh.stt.whisper.address import address
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.reposting import RepostingDecoder
from slukh.stt.whisper.servers import server_at
from slukh.testing.plain_whisper import PLAIN
from slukh.testing.real_whisper import SERVERS, RealServer, running
from slukh.testing.tap import Tap
from slukh.testing.whisper_rows import Crowd, Interims, Row, p, tables
from slukh.types import AttemptEnded, AudioChunk, CallStarted, Event, Transcript
from slukh.weights import find_whisper, weights_dir

CLIPS = stored_clips()
UK = CLIPS[0]
WAIT_SECONDS = 300.0
SERVER_SECONDS = 1200.0  # after which a server is given up
UNDERSTOOD = 0.35  # of the characters may be wrong
CHUNK = 1600  # bytes: 100 ms
EAGER_CLIPS = 3


async def measured(
    row: Row, server: RealServer, port: int, *, model: str, rounds: int, crowds: Sequence[int]
) -> Row:
    """Everything about one server; what was measured before it fails is kept."""
    async with Tap(port) as ours_tap, Tap(port) as plain_tap:
        provider = server_at(
            address(f"{server.scheme}://127.0.0.1:{ours_tap.port}"), model=model, final_seconds=WAIT_SECONDS
        )
        try:
            await provider.start()
            await heard(provider)  # whatever is loaded at the first use
            clips = []
            for number in range(rounds):
                for is_ours in (True, False) if number % 2 else (False, True):
                    if is_ours:
                        clips.append(await heard(provider))
                        final_at = clips[-1].ended_at + clips[-1].final_seconds
                        row.ours.append(clips[-1].final_seconds)
                        row.added.append(row.ours[-1] - ours_tap.server_seconds(final_at))
                    else:
                        async with asyncio.timeout(WAIT_SECONDS):
                            seconds = await PLAIN[server.scheme](
                                plain_tap.port, model, UK.pcm, UK.language_code
                            )
                        row.plain.append(seconds)
                print(f"  {server.package}: round {number + 1} of {rounds}", file=sys.stderr)
            row = replace(row, interims=interims_of(clips) or await eager_interims(provider))
            for callers in crowds:
                row.crowd.append(await crowd(provider, callers))
                print(f"  {server.package}: {row.crowd[-1]}", file=sys.stderr)
        except (SttError, OSError, TimeoutError, ValueError) as error:
            row = replace(row, failed=f"{type(error).__name__}: {error}"[:160])
        finally:
            await provider.aclose()
    return row


async def heard(provider: SttProvider) -> Played:
    """One clip through ours. Raises SttError."""
    played = await play(provider, UK)
    if played.error is not None:
        raise played.error
    return played


def interims_of(clips: Sequence[Played], *, is_eager: bool = False) -> Interims | None:
    """What came before the finals, or None when nothing did."""
    firsts = [clip.first_interim_seconds for clip in clips if clip.first_interim_seconds is not None]
    if not firsts:
        return None
    return Interims(
        per_clip=sum(len(clip.interims) for clip in clips) / len(clips),
        first_seconds=median(firsts),
        revised=revised_share(clips),
        is_eager=is_eager,
    )


async def eager_interims(provider: SttProvider) -> Interims | None:
    """Interims by asking again, however slow the server is."""
    if not isinstance(provider, WhisperProvider) or not isinstance(provider.decoder, RepostingDecoder):
        return None
    eager = WhisperProvider(
        RepostingDecoder(provider.decoder.inner, quick_final_seconds=inf, quick_seconds=inf),
        model=provider.model,
    )
    await heard(eager)  # it asks from the first final on
    return interims_of([await heard(eager) for _ in range(EAGER_CLIPS)], is_eager=True)


async def crowd(provider: SttProvider, callers: int) -> Crowd:
    """So many callers at once, each through a router of its own."""
    upstreams = Upstreams({"whisper": provider}, limits=Limits(hedge_cap_seconds=None))
    calls = await asyncio.gather(
        *(called(upstreams, CLIPS[number % len(CLIPS)], number) for number in range(callers))
    )
    finals = [[e for e in events if isinstance(e, Transcript) and e.is_final] for _, events, _ in calls]
    said = [bool(each and each[0].text and not each[0].is_salvage) for each in finals]
    late = [seconds for (_, _, seconds), has_words in zip(calls, said, strict=True) if has_words]
    errors = {e.outcome for _, events, _ in calls for e in events if isinstance(e, AttemptEnded)}
    return Crowd(
        callers=callers,
        lost=callers - sum(said),
        doubled=sum(len(each) > 1 for each in finals),
        not_understood=sum(
            has_words and not is_understood(clip, each[0].text)
            for (clip, _, _), each, has_words in zip(calls, finals, said, strict=True)
        ),
        with_interims=sum(
            any(isinstance(e, Transcript) and not e.is_final for e in events) for _, events, _ in calls
        ),
        p50=p(late, 0.5),
        p95=p(late, 0.95),
        errors=tuple(sorted(errors - {"published"})),
    )


async def called(upstreams: Upstreams, clip: Clip, number: int) -> tuple[Clip, list[Event], float]:
    """One caller: the clip, what the router published, and seconds from the end of the audio to the final."""
    loop = asyncio.get_running_loop()
    events: list[Event] = []
    final_at = 0.0

    def publish(event: Event) -> None:
        nonlocal final_at
        events.append(event)
        if isinstance(event, Transcript) and event.is_final:
            final_at = loop.time()

    router = CallRouter(
        CallStarted(call_id=f"caller-{number}", language_code=clip.language_code),
        Assignment(arm="whisper", chain=("whisper",)),
        upstreams,
        publish,
        policy=AttemptPolicy(final_seconds=WAIT_SECONDS, give_up_seconds=WAIT_SECONDS),
    )
    utterance = Utterance(utterance_id=1, start=0)
    longest = max(len(each.pcm) for each in CLIPS)
    began = loop.time() + (longest - len(clip.pcm)) / 16000  # they end together
    for at in range(0, len(clip.pcm), CHUNK):
        await asyncio.sleep(began + (at + CHUNK) / 16000 - loop.time())
        utterance.take(AudioChunk(pcm=clip.pcm[at : at + CHUNK]))
        router.hear(UtteranceGrew(utterance) if at else UtteranceStarted(utterance))
    ended = loop.time()
    utterance.endpoint = utterance.end
    router.hear(UtteranceEnded(utterance))
    await router.finish()
    return clip, events, final_at - ended


def is_understood(clip: Clip, text: str) -> bool:
    """Letters, not words: one word boundary costs two words of eight."""
    return (character_errors(plain_text(clip.text), plain_text(text)).cer or 0.0) <= UNDERSTOOD


def run(name: str, base: Path, rounds: int, crowds: Sequence[int]) -> Row:
    """One server, from its start to its end."""
    server = SERVERS[name]
    row = Row(server=f"{server.package} {server.version}")
    began = monotonic()
    try:
        with running(server, base) as process:

            async def within() -> Row:
                async with asyncio.timeout(SERVER_SECONDS):
                    model = server.model_name(base)
                    return await measured(
                        row, server, process.port, model=model, rounds=rounds, crowds=crowds
                    )

            row = asyncio.run(within())
    except (ServiceError, TimeoutError) as error:
        row = replace(row, failed=str(error) or f"not done in {SERVER_SECONDS / 60:.0f} minutes")
    return replace(row, minutes=(monotonic() - began) / 60)


def main() -> None:
    """The servers in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", action="append", choices=SERVERS, metavar="SERVER")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--callers", type=int, nargs="*", default=[1, 5, 10, 20])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # else the server that runs would go on
    base = find_whisper(weights_dir(), "base")
    rows = [run(name, base, arguments.rounds, arguments.callers) for name in arguments.only or SERVERS]
    print(tables(rows), file=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        print(json.dumps([row.summary() for row in rows], ensure_ascii=False))


if __name__ == "__main__":
    main()
