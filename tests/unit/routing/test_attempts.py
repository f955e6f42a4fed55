"""The Attempt core, told what happened and when."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import SttAuthenticationError, SttError, SttStreamError
from slukh.routing.attempts import Action, AttemptPolicy, Close, Open, Publish, Show, UtteranceAttempts
from slukh.stt.base import Hypothesis

POLICY = AttemptPolicy(
    connect_seconds=2.0, send_seconds=1.5, final_seconds=8.0, give_up_seconds=20.0, max_attempts=4
)


NOW = 1.0  # where the time of a result does not matter


def interim(text: str, stable: int = 0) -> Hypothesis:
    return Hypothesis(text=text, is_final=False, stable_length=stable, language_code="uk-UA")


def final(text: str) -> Hypothesis:
    return Hypothesis(text=text, is_final=True, stable_length=len(text), language_code="uk-UA")


def core(*providers: str) -> UtteranceAttempts:
    return UtteranceAttempts(providers=providers or ("whisper",), language_code="uk-UA", policy=POLICY)


def broken(provider: str = "whisper") -> SttError:
    return SttStreamError(provider, "reset")


def test_a_final_closes_its_attempt_and_publishes_it() -> None:
    utterance = core()
    assert utterance.start(0.0) == [Open(attempt=1, provider="whisper", purpose="serve")]
    utterance.opened(1)
    assert utterance.endpoint(3.0) == []
    assert utterance.result(1, final("так"), NOW) == [
        Close(attempt=1, outcome="published"),
        Publish(attempt=1, hypothesis=final("так")),
    ]
    assert utterance.next_deadline is None


def test_a_final_without_text_is_published_as_empty() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.endpoint(1.0)
    assert utterance.result(1, final(""), NOW)[0] == Close(attempt=1, outcome="empty")
    assert utterance.is_published


def test_a_failed_attempt_is_followed_at_once_by_another() -> None:
    utterance = core()
    utterance.start(0.0)
    assert utterance.failed(1, broken(), 1.0) == [
        Close(attempt=1, outcome="stream", error="reset"),
        Open(attempt=2, provider="whisper", purpose="retry"),
    ]


def test_a_backup_is_preferred_to_the_provider_that_failed() -> None:
    utterance = core("whisper", "google")
    utterance.start(0.0)
    assert utterance.failed(1, broken(), 1.0)[1] == Open(attempt=2, provider="google", purpose="retry")


def test_a_provider_that_failed_twice_is_given_time_before_the_third() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.failed(1, broken(), 1.0)
    assert utterance.failed(2, broken(), 1.0) == [Close(attempt=2, outcome="stream", error="reset")]
    assert utterance.next_deadline == 1.25
    assert utterance.tick(1.2) == []
    assert utterance.tick(1.25) == [Open(attempt=3, provider="whisper", purpose="retry")]


def test_a_permanent_error_is_not_tried_again_on_the_same_provider() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.endpoint(1.0)
    assert utterance.failed(1, SttAuthenticationError("whisper", "wrong key"), 1.1) == [
        Close(attempt=1, outcome="authentication", error="wrong key"),
        Publish(attempt=None, hypothesis=final(""), is_salvage=True),
    ]


def test_a_final_before_our_endpoint_fails_the_attempt_because_the_rest_would_be_lost() -> None:
    utterance = core()
    utterance.start(0.0)
    assert utterance.result(1, final("половина"), 1.0) == [
        Close(attempt=1, outcome="stream", error="gave its final before the utterance was over"),
        Open(attempt=2, provider="whisper", purpose="retry"),
    ]


def test_what_is_salvaged_is_the_stable_part_of_the_last_interim() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.result(1, interim("добрий день мені", stable=11), NOW)
    utterance.endpoint(1.0)
    salvage = utterance.failed(1, SttAuthenticationError("whisper", "wrong key"), 1.1)[-1]
    assert salvage == Publish(attempt=None, hypothesis=final("добрий день"), is_salvage=True)


def test_nothing_is_salvaged_while_the_caller_still_speaks() -> None:
    utterance = core()
    utterance.start(0.0)
    assert utterance.failed(1, SttAuthenticationError("whisper", "wrong key"), 0.5) == [
        Close(attempt=1, outcome="authentication", error="wrong key")
    ]
    assert isinstance(utterance.endpoint(3.0)[-1], Publish)


def test_a_stream_that_does_not_open_is_given_up_after_its_deadline() -> None:
    utterance = core()
    utterance.start(10.0)
    assert utterance.next_deadline == 12.0
    assert utterance.tick(12.0) == [
        Close(attempt=1, outcome="timeout", error="no open stream in time"),
        Open(attempt=2, provider="whisper", purpose="retry"),
    ]


def test_a_stream_that_takes_no_audio_is_given_up_after_its_deadline() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.opened(1)
    deadlines = []
    for since in (None, 5.0, None):
        utterance.sending(1, since)
        deadlines.append(utterance.next_deadline)
    assert deadlines == [None, 6.5, None]


def test_a_final_is_awaited_from_the_endpoint_on() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.opened(1)
    utterance.endpoint(5.0)
    assert utterance.next_deadline == 13.0
    assert utterance.tick(13.0)[0] == Close(attempt=1, outcome="timeout", error="no final in time")


def test_an_attempt_that_opened_late_has_its_whole_time() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.opened(1)
    utterance.endpoint(5.0)
    utterance.failed(1, broken(), 9.0)
    utterance.opened(2)
    assert utterance.next_deadline == 17.0


def test_after_a_switch_interims_never_take_back_what_was_stable() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.result(1, interim("добрий день мені", stable=11), NOW)
    utterance.failed(1, broken(), 1.0)
    assert utterance.result(2, interim("доброго"), NOW) == []
    assert utterance.result(2, interim("добрий день, мені"), NOW) == [
        Show(attempt=2, hypothesis=interim("добрий день, мені", stable=11))
    ]


def test_results_of_a_closed_attempt_are_ignored() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.failed(1, broken(), 1.0)
    assert utterance.result(1, final("пізно"), NOW) == []


@dataclass
class Tally:
    opened: list[int] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    finals: int = 0

    def add(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Open(attempt=number):
                    self.opened.append(number)
                case Close(attempt=number):
                    self.closed.append(number)
                case Publish():
                    self.finals += 1


def take(utterance: UtteranceAttempts, step: str, attempt: int, now: float) -> list[Action]:
    match step:
        case "opened":
            utterance.opened(attempt)
        case "interim":
            return utterance.result(attempt, interim("a b", stable=1), now)
        case "final":
            return utterance.result(attempt, final("a"), now)
        case "broken":
            return utterance.failed(attempt, broken(), now)
        case "refused":
            return utterance.failed(attempt, SttAuthenticationError("x", "wrong key"), now)
        case "sending" | "sent":
            utterance.sending(attempt, now if step == "sending" else None)
        case "tick":
            return utterance.tick(now)
    return []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["opened", "interim", "final", "broken", "refused", "sending", "sent", "tick"]),
        st.floats(0.0, 3.0),
    ),
    max_size=40,
)


@given(STEPS, st.integers(0, 40), st.sampled_from([("whisper",), ("whisper", "google")]))
def test_every_utterance_has_one_final_and_every_attempt_one_end(
    steps: list[tuple[str, float]], endpoint_after: int, providers: tuple[str, ...]
) -> None:
    utterance, tally, now = core(*providers), Tally(), 0.0
    tally.add(utterance.start(now))
    for index, (step, pause) in enumerate(steps):
        now += pause
        if index == endpoint_after:
            tally.add(utterance.endpoint(now))
        current = tally.opened[-1]
        tally.add(take(utterance, step, current, now))
    if endpoint_after >= len(steps):
        tally.add(utterance.endpoint(now))
    while (deadline := utterance.next_deadline) is not None:
        tally.add(utterance.tick(deadline))
    assert tally.finals == 1
    assert tally.closed == tally.opened
    assert len(tally.opened) <= POLICY.max_attempts
