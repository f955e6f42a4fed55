"""Callers at once, each through a router of its own, who all stop speaking at the same moment."""

import asyncio
from typing import Final

from slukh.conformance.report import is_understood
from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.health import Clip, stored_clips
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Limits, Upstreams
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.base import SttProvider
from slukh.testing.whisper_rows import Crowd, p
from slukh.types import AttemptEnded, AudioChunk, CallStarted, Event, Transcript

_CLIPS: Final = stored_clips()
_WAIT_SECONDS = 300.0
_CHUNK = 1600  # bytes: 100 ms


async def crowd(provider: SttProvider, callers: int) -> Crowd:
    """So many callers at once, each through a router of its own."""
    upstreams = Upstreams({"whisper": provider}, limits=Limits(hedge_cap_seconds=None))
    calls = await asyncio.gather(
        *(_called(upstreams, _CLIPS[number % len(_CLIPS)], number) for number in range(callers))
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
            has_words and not is_understood(clip.text, each[0].text)
            for (clip, _, _), each, has_words in zip(calls, finals, said, strict=True)
        ),
        with_interims=sum(
            any(isinstance(e, Transcript) and not e.is_final for e in events) for _, events, _ in calls
        ),
        p50=p(late, 0.5),
        p95=p(late, 0.95),
        errors=tuple(sorted(errors - {"published"})),
    )


async def _called(upstreams: Upstreams, clip: Clip, number: int) -> tuple[Clip, list[Event], float]:
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
        policy=AttemptPolicy(final_seconds=_WAIT_SECONDS, give_up_seconds=_WAIT_SECONDS),
    )
    utterance = Utterance(utterance_id=1, start=0)
    longest = max(len(each.pcm) for each in _CLIPS)
    began = loop.time() + (longest - len(clip.pcm)) / 16000  # they end together
    for at in range(0, len(clip.pcm), _CHUNK):
        await asyncio.sleep(began + (at + _CHUNK) / 16000 - loop.time())
        utterance.take(AudioChunk(pcm=clip.pcm[at : at + _CHUNK]))
        router.hear(UtteranceGrew(utterance) if at else UtteranceStarted(utterance))
    ended = loop.time()
    utterance.endpoint = utterance.end
    router.hear(UtteranceEnded(utterance))
    await router.finish()
    return clip, events, final_at - ended
