"""A Whisper server that is set up wrongly costs no word where there is a backup, and says what is wrong."""

import asyncio

import pytest
from tests.wrong_servers import WRONG

from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.pool import ServerPool
from slukh.routing.router import CallRouter
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.fake import FakeProvider
from slukh.stt.whisper.address import address
from slukh.stt.whisper.remedies import REMEDIES
from slukh.stt.whisper.servers import server_at
from slukh.testing.numbered import heard_words, numbered_speech
from slukh.types import AttemptEnded, AudioChunk, CallStarted, Event, Transcript

PERMANENTLY_WRONG = (
    "http: wrong key", "http: wrong path", "http: model not installed", "whisper.cpp+http: wrong path",
    "realtime+ws: no model",
)  # fmt: skip
SPEECH = numbered_speech([1, 2, 3, 4]).tobytes()


async def said(upstreams: Upstreams) -> list[Event]:
    """What a call hears of one utterance."""
    events: list[Event] = []
    chain = tuple(upstreams.providers)
    router = CallRouter(
        CallStarted(call_id="1", language_code="uk-UA"),
        Assignment(arm=chain[0], chain=chain),
        upstreams,
        events.append,
        policy=AttemptPolicy(),
    )
    utterance = Utterance(utterance_id=1, start=0)
    for at in range(0, len(SPEECH), 1600):
        utterance.take(AudioChunk(pcm=SPEECH[at : at + 1600]))
        router.hear(UtteranceGrew(utterance) if at else UtteranceStarted(utterance))
        await asyncio.sleep(0)
    utterance.endpoint = utterance.end
    router.hear(UtteranceEnded(utterance))
    await router.finish()
    return events


@pytest.mark.parametrize("name", WRONG)
async def test_bad_input_is_its_own_error_and_a_second_attempt_on_the_backup(name: str) -> None:
    wrong = WRONG[name]
    async with wrong.at() as url:
        provider = server_at(address(url), model="base", final_seconds=5.0)
        backup = FakeProvider(heard_words, name="backup")
        events = await said(Upstreams({"whisper": provider, "backup": backup}))
        await provider.aclose()
    first, *_, last = [event for event in events if isinstance(event, AttemptEnded)]
    assert (first.provider, first.outcome) == ("whisper", wrong.outcome)
    assert wrong.sentence in (first.error or "")
    assert "\n" not in (first.error or "")
    assert REMEDIES[wrong.outcome]
    assert (last.provider, last.outcome, last.audio_samples) == ("backup", "published", len(SPEECH) // 2)
    (final,) = [event for event in events if isinstance(event, Transcript) and event.is_final]
    assert final.text == "1 2 3 4"


@pytest.mark.parametrize("is_started", [True, False], ids=["found at start", "found by a caller"])
@pytest.mark.parametrize("name", PERMANENTLY_WRONG)
async def test_one_wrong_server_of_several_costs_no_word_and_no_start(name: str, is_started: bool) -> None:
    async with WRONG[name].at() as url:
        where = address(url)
        wrong = server_at(where, model="base", final_seconds=5.0)
        pool = ServerPool({where.key: wrong, "sound": FakeProvider(heard_words, name="whisper")})
        found = asyncio.Event()
        pool.on_conditions = lambda conditions: found.set() if conditions["wrong"] else None
        if is_started:
            await pool.start()
            await found.wait()
        events = await said(Upstreams({"whisper": pool}))
        await pool.aclose()
    attempts = [event.outcome for event in events if isinstance(event, AttemptEnded)]
    assert attempts[-1] == "published"
    assert attempts[:-1] in ([], [] if is_started else ["stream"])  # a socket is refused before an Attempt
    (final,) = [event for event in events if isinstance(event, Transcript) and event.is_final]
    assert final.text == "1 2 3 4"
    assert list(pool.wrong) == [where.key]
    assert pool.upstreams.breakers[where.key].standing.is_permanent
