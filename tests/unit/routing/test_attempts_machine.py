"""The Attempt core against a model of audio, results, faults and the clock, in any order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from slukh.errors import SttAuthenticationError, SttStreamError
from slukh.routing.attempts import (
    Action,
    AttemptPolicy,
    Candidate,
    Close,
    Open,
    Publish,
    Show,
    UtteranceAttempts,
)
from slukh.stt.base import Hypothesis

POLICY = AttemptPolicy()


def words(count: int) -> str:
    return " ".join(str(number) for number in range(count))


class Switching(RuleBasedStateMachine):
    """One caller says 0, 1, 2 ...; a stream has heard as many words as it was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.said = 0
        self.is_over = False
        self.away: set[str] = set()
        self.sent: dict[int, int] = {}  # running Attempts: words each was sent
        self.opened: list[int] = []
        self.closed: dict[int, str] = {}
        self.stable = ""
        self.published: list[Publish] = []

    @initialize(
        names=st.sampled_from([("whisper",), ("google",), ("whisper", "google"), ("google", "whisper")]),
        hedge=st.sampled_from([None, 0.5]),
    )
    def begin(self, names: tuple[str, ...], hedge: float | None) -> None:
        self.core = UtteranceAttempts(
            candidates=[
                Candidate(name=name, gives_interims=name == "google", hedge_seconds=hedge) for name in names
            ],
            language_code="uk-UA",
            policy=POLICY,
            may_open=lambda name, _now: name not in self.away,
        )
        self.do(self.core.start(self.now))

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Open(attempt=number):
                    assert number not in self.sent
                    self.opened.append(number)
                    self.sent[number] = 0
                    self.core.opened(number, self.now)
                case Close(attempt=number, outcome=outcome):
                    assert number not in self.closed, "an Attempt ends once"
                    self.closed[number] = outcome
                    del self.sent[number]
                case Show(hypothesis=shown):
                    assert not self.published
                    assert shown.text.startswith(self.stable), "what is stable is never taken back"
                    assert shown.stable_length >= len(self.stable)
                    self.stable = shown.text[: shown.stable_length]
                case Publish():
                    self.published.append(action)

    @precondition(lambda self: not self.is_over)
    @rule()
    def the_caller_says_a_word(self) -> None:
        self.said += 1
        self.now += 0.3

    @precondition(lambda self: not self.is_over)
    @rule()
    def the_caller_has_finished(self) -> None:
        self.is_over = True
        self.do(self.core.endpoint(self.now))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), blocks=st.booleans())
    def a_stream_is_sent_what_was_said(self, data: st.DataObject, blocks: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.sent)))
        self.core.sending(number, self.now)
        if not blocks:
            voice = 0.3 * (self.said - self.sent[number])
            self.sent[number] = self.said
            self.do(self.core.sent(number, voice, self.now))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def a_stream_shows_what_it_heard(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.sent)))
        heard = self.sent[number]
        text, stable = words(heard), words(data.draw(st.integers(0, heard)))
        interim = Hypothesis(text=text, is_final=False, stable_length=len(stable), language_code="uk-UA")
        self.do(self.core.result(number, interim, self.now))

    @precondition(lambda self: self.sent and self.is_over)
    @rule(data=st.data(), is_empty=st.booleans())
    def a_stream_gives_its_final(self, data: st.DataObject, is_empty: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.sent)))
        self.sent[number] = self.said  # a final comes after the last chunk
        self.core.ended(number)
        text = "" if is_empty else words(self.said)
        final = Hypothesis(text=text, is_final=True, stable_length=len(text), language_code="uk-UA")
        self.do(self.core.result(number, final, self.now))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), is_permanent=st.booleans())
    def a_stream_breaks(self, data: st.DataObject, is_permanent: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.sent)))
        error = SttAuthenticationError("x", "key") if is_permanent else SttStreamError("x", "reset")
        self.do(self.core.failed(number, error, self.now))

    @rule(number=st.integers(0, 6))
    def an_attempt_that_is_over_speaks_again(self, number: int) -> None:
        if number not in self.sent:
            ghost = Hypothesis(text="ghost", is_final=True, stable_length=5, language_code="uk-UA")
            assert self.core.result(number, ghost, self.now) == []
            assert self.core.failed(number, SttStreamError("x", "ghost"), self.now) == []

    @rule(name=st.sampled_from(["whisper", "google"]))
    def a_provider_goes_away_or_comes_back(self, name: str) -> None:
        self.away ^= {name}

    @rule(seconds=st.floats(0.05, 3.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.do(self.core.tick(self.now))

    @rule()
    def the_next_deadline_comes(self) -> None:
        if (deadline := self.core.next_deadline) is not None:
            self.now = max(self.now, deadline)
            self.do(self.core.tick(self.now))

    @invariant()
    def every_attempt_has_one_end_and_the_utterance_one_final(self) -> None:
        if not self.opened and not self.published:
            return
        assert sorted([*self.sent, *self.closed]) == self.opened
        assert len(self.opened) <= POLICY.max_attempts
        assert len(self.published) <= 1
        assert self.core.is_published == bool(self.published)
        if self.published:
            assert not self.sent, "nothing runs on for an utterance that is published"
            assert self.is_over, "nothing is published before the caller has finished"

    @invariant()
    def a_published_text_is_whole_and_of_one_attempt(self) -> None:
        for publish in self.published:
            if publish.is_salvage:
                assert publish.hypothesis.text == self.stable
            else:
                assert publish.hypothesis.text in ("", words(self.said))
                assert self.closed[publish.attempt or 0] in ("published", "empty")

    def teardown(self) -> None:
        """Whatever happened, the utterance is published in time."""
        if not self.opened and not hasattr(self, "core"):
            return
        if not self.is_over:
            self.the_caller_has_finished()
        ended_at = self.now
        while (deadline := self.core.next_deadline) is not None:
            self.now = max(self.now, deadline)
            self.do(self.core.tick(self.now))
        assert len(self.published) == 1
        assert self.now <= ended_at + POLICY.give_up_seconds


Switching.TestCase.settings = settings(max_examples=300, stateful_step_count=40)
TestSwitching = Switching.TestCase
