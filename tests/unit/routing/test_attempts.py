"""The Attempt core, told what happened and when."""

from collections.abc import Container
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import SttAuthenticationError, SttError, SttOverloadedError, SttStreamError
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

POLICY = AttemptPolicy(
    connect_seconds=2.0, send_seconds=1.5, final_seconds=8.0, give_up_seconds=20.0, max_attempts=4
)


NOW = 1.0  # where the time of a result does not matter


def interim(text: str, stable: int = 0) -> Hypothesis:
    return Hypothesis(text=text, is_final=False, stable_length=stable, language_code="uk-UA")


def final(text: str) -> Hypothesis:
    return Hypothesis(text=text, is_final=True, stable_length=len(text), language_code="uk-UA")


def core(
    *providers: str,
    policy: AttemptPolicy = POLICY,
    hedge: float | None = None,
    away: Container[str] = (),
) -> UtteranceAttempts:
    """Args: away: providers that may not be connected to now."""
    candidates = [
        Candidate(name=name, gives_interims=name == "google", hedge_seconds=hedge)
        for name in providers or ("whisper",)
    ]
    return UtteranceAttempts(
        candidates=candidates,
        language_code="uk-UA",
        policy=policy,
        may_open=lambda name, _now: name not in away,
    )


def gives(utterance: UtteranceAttempts, attempt: int, final: Hypothesis, now: float) -> list[Action]:
    """A stream was given the whole utterance, and has its final."""
    utterance.ended(attempt)
    return utterance.result(attempt, final, now)


def broken(provider: str = "whisper") -> SttError:
    return SttStreamError(provider, "reset")


def test_a_final_closes_its_attempt_and_publishes_it() -> None:
    utterance = core()
    assert utterance.start(0.0) == [Open(attempt=1, provider="whisper", purpose="serve")]
    utterance.opened(1, 0.0)
    assert utterance.endpoint(3.0) == []
    assert gives(utterance, 1, final("так"), NOW) == [
        Close(attempt=1, outcome="published"),
        Publish(attempt=1, hypothesis=final("так")),
    ]
    assert utterance.next_deadline is None


def test_a_final_without_text_is_published_as_empty() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.endpoint(1.0)
    assert gives(utterance, 1, final(""), NOW)[0] == Close(attempt=1, outcome="empty")
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


def test_the_pause_before_the_same_provider_doubles() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.failed(1, broken(), 1.0)
    utterance.failed(2, broken(), 1.0)
    utterance.tick(1.25)
    utterance.failed(3, broken(), 2.0)
    assert utterance.next_deadline == 2.5


def test_a_lone_provider_that_has_no_room_is_given_time_at_once() -> None:
    utterance = core()
    utterance.start(0.0)
    full = SttOverloadedError("whisper", "429")
    assert utterance.failed(1, full, 1.0) == [Close(attempt=1, outcome="overloaded", error="429")]
    assert utterance.tick(1.25) == [Open(attempt=2, provider="whisper", purpose="retry")]
    spared = core("whisper", "google")
    spared.start(0.0)
    assert spared.failed(1, full, 1.0)[1] == Open(attempt=2, provider="google", purpose="retry")


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


def test_a_final_while_a_replay_is_under_way_fails_the_attempt_likewise() -> None:
    utterance = core("whisper", "google")
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.endpoint(20.0)
    utterance.failed(1, broken(), 20.1)
    utterance.opened(2, 20.2)
    utterance.sending(2, 20.2)
    utterance.sent(2, 0.1, 20.2)
    assert utterance.result(2, final("перше"), 20.3)[0] == Close(
        attempt=2, outcome="stream", error="gave its final before the utterance was over"
    )
    utterance.opened(3, 20.4)
    assert gives(utterance, 3, final("все"), 21.0)[-1] == Publish(attempt=3, hypothesis=final("все"))


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
    utterance.opened(1, 0.0)
    deadlines = [utterance.next_deadline]
    utterance.sending(1, 5.0)
    deadlines.append(utterance.next_deadline)
    utterance.sent(1, 0.1, 5.1)
    deadlines.append(utterance.next_deadline)
    assert deadlines == [None, 6.5, None]


def test_a_final_is_awaited_from_the_endpoint_on() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.endpoint(5.0)
    assert utterance.next_deadline == 13.0
    assert utterance.tick(13.0)[0] == Close(attempt=1, outcome="timeout", error="no final in time")


def test_an_attempt_that_opened_late_has_its_whole_time() -> None:
    utterance = core()
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.endpoint(5.0)
    utterance.failed(1, broken(), 9.0)
    utterance.opened(2, 0.0)
    assert utterance.next_deadline == 17.0


def test_a_long_replay_is_no_late_final() -> None:
    utterance = core("whisper", "google", hedge=3.0)
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.endpoint(28.0)
    utterance.failed(1, broken(), 28.5)
    utterance.opened(2, 28.5)
    for tenth in range(1, 71):  # seven seconds, in which nothing is late
        now = 28.5 + tenth / 10
        utterance.sending(2, now)
        assert utterance.sent(2, 0.4, now) == utterance.tick(now) == []
    assert utterance.next_deadline == 35.5 + 3.0
    assert utterance.tick(38.5) == [Open(attempt=3, provider="whisper", purpose="hedge")]
    assert utterance.tick(43.5)[0] == Close(attempt=2, outcome="timeout", error="no final in time")


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
    assert gives(utterance, 1, final("пізно"), NOW) == []


def late() -> UtteranceAttempts:
    """An utterance whose final is late, with a hedge beside it."""
    utterance = core("whisper", "google", hedge=1.0)
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.endpoint(3.0)
    assert utterance.next_deadline == 4.0
    assert utterance.tick(4.0) == [Open(attempt=2, provider="google", purpose="hedge")]
    utterance.opened(2, 4.0)
    return utterance


def test_of_two_that_run_the_older_one_speaks_until_it_ends() -> None:
    utterance = late()
    assert utterance.result(2, interim("добрий"), 4.1) == []
    assert utterance.result(1, interim("добрий"), 4.2) == [Show(attempt=1, hypothesis=interim("добрий"))]
    utterance.failed(1, broken(), 4.3)
    assert utterance.result(2, interim("день"), 4.4) == [Show(attempt=2, hypothesis=interim("день"))]


def test_a_stream_that_opened_late_is_not_stalled_by_what_waited_for_it() -> None:
    utterance = core("google", "whisper")
    utterance.start(0.0)
    utterance.opened(1, 1.9)
    assert utterance.sent(1, 2.5, 2.5) == []
    assert utterance.sent(1, 0.1, 4.4)[0] == Close(
        attempt=1, outcome="stalled", error="2.6 s of voice and no word"
    )


def test_voice_without_a_word_from_a_provider_that_gives_interims_is_a_stall() -> None:
    utterance = core("google", "whisper")
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    for tenth in range(24):
        assert utterance.sent(1, 0.1, tenth / 10) == []
    assert utterance.sent(1, 0.1, 2.5) == [
        Close(attempt=1, outcome="stalled", error="2.5 s of voice and no word"),
        Open(attempt=2, provider="whisper", purpose="retry"),
    ]


def test_a_lone_provider_that_stalls_gets_one_new_stream_and_then_its_time() -> None:
    utterance = core("google")
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    assert utterance.sent(1, 2.5, 2.5)[1] == Open(attempt=2, provider="google", purpose="retry")
    utterance.opened(2, 2.5)
    assert utterance.sent(2, 9.0, 20.0) == []


def test_a_word_in_between_is_no_stall() -> None:
    utterance = core("google", "whisper")
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    for tenth in range(40):
        assert utterance.sent(1, 0.1, tenth / 10) == []
        if tenth == 20:
            utterance.result(1, interim("так"), 2.0)


def test_silence_of_a_provider_without_interims_means_nothing() -> None:
    utterance = core("whisper", "google")
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    assert all(utterance.sent(1, 0.1, tenth / 10) == [] for tenth in range(200))


def test_a_replay_that_is_quicker_than_speech_is_no_stall() -> None:
    utterance = core("google")
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    assert utterance.sent(1, 9.0, 0.5) == []


def test_the_first_text_of_a_hedged_utterance_is_published_and_the_other_superseded() -> None:
    assert gives(late(), 2, final("так"), 4.5) == [
        Close(attempt=2, outcome="published"),
        Close(attempt=1, outcome="superseded"),
        Publish(attempt=2, hypothesis=final("так")),
    ]
    assert gives(late(), 1, final("так"), 4.5)[-1] == Publish(attempt=1, hypothesis=final("так"))


def test_an_empty_final_waits_for_the_hedge_that_may_have_heard_more() -> None:
    utterance = late()
    assert gives(utterance, 1, final(""), 4.5) == [Close(attempt=1, outcome="empty")]
    assert gives(utterance, 2, final("так"), 5.0)[-1] == Publish(attempt=2, hypothesis=final("так"))
    utterance = late()
    gives(utterance, 1, final(""), 4.5)
    assert utterance.failed(2, broken("google"), 5.0)[-1] == Publish(attempt=1, hypothesis=final(""))


def test_a_hedge_that_outlives_the_one_it_was_opened_beside_goes_on() -> None:
    utterance = late()
    assert utterance.failed(1, broken(), 4.2) == [Close(attempt=1, outcome="stream", error="reset")]
    assert gives(utterance, 2, final("так"), 5.0)[-1] == Publish(attempt=2, hypothesis=final("так"))


def test_there_is_one_hedge_and_none_without_a_backup() -> None:
    assert late().next_deadline == 11.0  # the final of the first Attempt
    alone = core("whisper", hedge=1.0)
    alone.start(0.0)
    alone.opened(1, 0.0)
    alone.endpoint(3.0)
    assert alone.next_deadline == 11.0


def test_a_hedge_that_may_not_be_opened_is_none() -> None:
    utterance = core("whisper", "google", hedge=1.0, away={"google"})
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.endpoint(3.0)
    assert utterance.tick(4.0) == []
    assert utterance.next_deadline == 11.0


def test_a_provider_that_may_not_be_connected_to_is_passed_over() -> None:
    utterance = core("whisper", "google", away={"whisper"})
    assert utterance.start(0.0) == [Open(attempt=1, provider="google", purpose="serve")]


def test_while_nobody_may_be_connected_to_an_utterance_waits_and_asks_again() -> None:
    away = {"whisper", "google"}
    utterance = core("whisper", "google", away=away)
    assert utterance.start(0.0) == []
    assert utterance.next_deadline == 0.25
    assert utterance.tick(0.25) == []
    away.remove("google")
    assert utterance.tick(0.5) == [Open(attempt=1, provider="google", purpose="serve")]


def test_when_nobody_may_be_connected_to_in_time_for_a_final_what_there_is_is_published() -> None:
    utterance = core("whisper", away={"whisper"})
    utterance.start(0.0)
    utterance.endpoint(0.1)
    assert utterance.tick(8.0) == []
    assert utterance.tick(8.25) == [Publish(attempt=None, hypothesis=final(""), is_salvage=True)]


def doubtful(*providers: str) -> UtteranceAttempts:
    """An utterance with a second of voice, at its endpoint."""
    utterance = core(*providers)
    utterance.start(0.0)
    utterance.opened(1, 0.0)
    utterance.sent(1, 1.0, 1.0)
    utterance.endpoint(2.0)
    return utterance


def test_an_empty_final_for_a_second_of_voice_is_asked_for_again_where_there_is_a_backup() -> None:
    utterance = doubtful("whisper", "google")
    assert gives(utterance, 1, final(""), 2.1) == [
        Close(attempt=1, outcome="empty"),
        Open(attempt=2, provider="google", purpose="retry"),
    ]
    assert gives(utterance, 2, final("так"), 2.5)[-1] == Publish(attempt=2, hypothesis=final("так"))
    alone = doubtful("whisper")
    assert gives(alone, 1, final(""), 2.1)[-1] == Publish(attempt=1, hypothesis=final(""))


def test_two_empty_finals_are_believed() -> None:
    utterance = doubtful("whisper", "google")
    gives(utterance, 1, final(""), 2.1)
    assert gives(utterance, 2, final(""), 2.5) == [
        Close(attempt=2, outcome="empty"),
        Publish(attempt=2, hypothesis=final("")),
    ]


def test_an_empty_final_stands_when_the_second_opinion_fails() -> None:
    utterance = doubtful("whisper", "google")
    gives(utterance, 1, final(""), 2.1)
    assert utterance.failed(2, broken("google"), 2.5)[-1] == Publish(attempt=1, hypothesis=final(""))


def test_an_empty_final_stands_when_the_second_opinion_is_late() -> None:
    utterance = doubtful("whisper", "google")
    gives(utterance, 1, final(""), 21.9)
    assert utterance.tick(22.0) == [
        Close(attempt=2, outcome="timeout"),
        Publish(attempt=1, hypothesis=final("")),
    ]


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
            utterance.opened(attempt, 0.0)
        case "interim":
            return utterance.result(attempt, interim("a b", stable=1), now)
        case "final":
            return utterance.result(attempt, final("a"), now)
        case "broken":
            return utterance.failed(attempt, broken(), now)
        case "refused":
            return utterance.failed(attempt, SttAuthenticationError("x", "wrong key"), now)
        case "ended":
            utterance.ended(attempt)
        case "sending":
            utterance.sending(attempt, now)
        case "sent":
            return utterance.sent(attempt, 1.0, now)
    return []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["opened", "interim", "ended", "final", "broken", "refused", "sending", "sent", "tick"]
        ),
        st.floats(0.0, 3.0),
    ),
    max_size=40,
)


@given(STEPS, st.integers(0, 40), st.sampled_from([("whisper",), ("whisper", "google")]))
def test_every_utterance_has_one_final_and_every_attempt_one_end(
    steps: list[tuple[str, float]], endpoint_after: int, providers: tuple[str, ...]
) -> None:
    utterance, tally, now = core(*providers, hedge=1.0), Tally(), 0.0
    tally.add(utterance.start(now))
    for index, (step, pause) in enumerate(steps):
        now += pause
        if index == endpoint_after:
            tally.add(utterance.endpoint(now))
        current = tally.opened[-1]
        tally.add(utterance.tick(now) if step == "tick" else take(utterance, step, current, now))
    if endpoint_after >= len(steps):
        tally.add(utterance.endpoint(now))
    while (deadline := utterance.next_deadline) is not None:
        tally.add(utterance.tick(deadline))
    assert tally.finals == 1
    assert sorted(tally.closed) == tally.opened
    assert len(tally.opened) <= POLICY.max_attempts
