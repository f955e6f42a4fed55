"""What becomes of a call's utterances: each is run by `runs.py`, all share what the call has learned."""

import asyncio
from collections.abc import Callable

from slukh.routing.attempts import AttemptPolicy
from slukh.routing.choosing import Assignment
from slukh.routing.runs import UtteranceRun
from slukh.routing.shadows import Shadows
from slukh.routing.upstreams import Upstreams
from slukh.speech.segmenter import SegmentEvent, Utterance, UtteranceEnded, UtteranceGrew, UtteranceStarted
from slukh.stt.base import Hypothesis, StreamConfig, SttProvider
from slukh.stt.language import LanguageTracker
from slukh.types import CallStarted, Event, SpeechEnded, SpeechStarted, seconds

Publisher = Callable[[Event], None]


class CallRouter:
    """Hears the utterances of one call and publishes one final for each.

    Args:
        call: whose.
        assignment: who hears it.
        upstreams: the recognisers of the process.
        publish: where events go; never blocks, never raises.
        policy: deadlines of an Attempt.
        interim_results: whether anybody wants interims.
        phrase_hints: words to expect.
        shadows: of the process; None where nobody compares.

    Attributes:
        serving: the provider that was asked last.
    """

    def __init__(
        self,
        call: CallStarted,
        assignment: Assignment,
        upstreams: Upstreams,
        publish: Publisher,
        *,
        policy: AttemptPolicy,
        interim_results: bool = True,
        phrase_hints: tuple[str, ...] = (),
        shadows: Shadows | None = None,
    ) -> None:
        self.call = call
        self.assignment = assignment
        self.upstreams = upstreams
        self.publish = publish
        self.policy = policy
        self.serving = assignment.chain[0]
        self._interim_results = interim_results
        self._phrase_hints = phrase_hints
        # Whole calls: those that begin when the day's budget is spent have none.
        is_shadowed = shadows is not None and assignment.shadow is not None and shadows.take_calls
        self._shadows = shadows if is_shadowed else None
        self._tracker = LanguageTracker(call.language_code, call.alternative_language_codes)
        self._runs: dict[int, UtteranceRun] = {}
        self._shadowed: set[asyncio.Task[None]] = set()  # that are still heard

    @property
    def provider(self) -> SttProvider:
        """The recogniser that was asked last."""
        return self.upstreams.providers[self.serving]

    def begin(self) -> None:
        """The call is there: say who it is, and who was chosen for it."""
        self.upstreams.call_began(self.assignment.chain[0])
        self.publish(self.call)
        if self.assignment.decision is not None:
            self.publish(self.assignment.decision)
        if self._shadows is not None and self.assignment.shadow_decision is not None:
            self.publish(self.assignment.shadow_decision)

    def hear(self, event: SegmentEvent) -> None:
        """Take what endpointing found."""
        utterance = event.utterance
        if isinstance(event, UtteranceGrew):
            if (run := self._runs.get(utterance.id)) is not None:  # absent once it was abandoned
                run.grew()
        elif isinstance(event, UtteranceStarted):
            self.publish(SpeechStarted(utterance_id=utterance.id, position=utterance.speech_start))
            run = self._runs[utterance.id] = UtteranceRun(self, utterance)
            run.start()
        elif isinstance(event, UtteranceEnded):
            ended = SpeechEnded(
                utterance_id=utterance.id, position=utterance.speech_end, endpoint=utterance.end
            )
            self.publish(ended)
            # Before the live Attempts: they may let go of the audio at once.
            if self._shadows is not None and self.assignment.shadow is not None:
                self._shadow(self._shadows, self.assignment.shadow, utterance)
            if (run := self._runs.get(utterance.id)) is not None:
                run.endpoint()

    async def finish(self) -> None:
        """Wait until every utterance is published; each is bounded by its own deadlines.

        One that is cancelled publishes what there is.
        """
        try:
            while self._runs:
                await asyncio.gather(*(run.over.wait() for run in self._runs.values()))
        finally:
            self.abandon()
            self.upstreams.call_ended(self.assignment.chain[0])

    @property
    def is_settled(self) -> bool:
        """Whether no shadow of it is still to say what it was sent."""
        return not self._shadowed

    async def settled(self) -> None:
        """Wait until that is so."""
        while self._shadowed:
            await asyncio.wait(set(self._shadowed))

    def _shadow(self, shadows: Shadows, provider: str, utterance: Utterance) -> None:
        task = shadows.hear(provider, utterance, self.stream_config(), self.publish)
        if task is not None:
            self._shadowed.add(task)
            task.add_done_callback(self._shadowed.discard)

    def abandon(self) -> None:
        """Publish what there is, now: the gateway stops."""
        for run in tuple(self._runs.values()):
            run.abandon()

    def stream_config(self) -> StreamConfig:
        """What the next Attempt is asked for."""
        return StreamConfig(
            language_code=self.call.language_code,
            alternative_language_codes=self.call.alternative_language_codes,
            language_prior=self._tracker.prior(),
            interim_results=self._interim_results,
            phrase_hints=self._phrase_hints,
            call_id=self.call.call_id,
        )

    def published(self, utterance: Utterance, hypothesis: Hypothesis) -> None:
        """An utterance has its final: learn the caller's language from it."""
        if hypothesis.language_probabilities:
            self._tracker.observe(hypothesis.language_probabilities, seconds(utterance.voiced_samples))

    def done(self, utterance: Utterance) -> None:
        """No Attempt of an utterance runs any more: let go of its audio."""
        del self._runs[utterance.id]
        utterance.release()
