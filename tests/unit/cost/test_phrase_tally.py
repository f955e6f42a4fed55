"""What of the phrases that callers hear is counted, and which words are kept."""

from datetime import UTC, datetime

from slukh.cost.phrase_tally import PhraseTally, Tallied
from slukh.types import CallEnded, CallEvent, CallStarted, Event, PhraseSpoken, SpokenOutcome

CODE, HELLO, READY = "uk-UA", "Добрий день!", "Ваше замовлення 4512 готове."


def event_of(event: Event, call_id: str = "c") -> CallEvent:
    return CallEvent(
        call_id=call_id, leg=1, provider="whisper", model="base", assigned_arm="whisper",
        received_at=datetime(2026, 11, 26, tzinfo=UTC), event=event,
    )  # fmt: skip


def said(text: str, outcome: SpokenOutcome = "sent") -> PhraseSpoken:
    return PhraseSpoken(
        phrase=1, utterance_id=0, text=text, language_code=CODE, provider="google", voice="Kore",
        characters=len(text), outcome=outcome, audio_ms=0, played_ms=0,
    )  # fmt: skip


def tally_of(*declared: str, most: int = 100) -> PhraseTally:
    return PhraseTally(
        b"key",
        declared=[(CODE, text) for text in declared],
        shape_of=lambda text: text.replace("4512", "{n}") if "4512" in text else None,
        most=most,
    )


def test_a_phrase_is_counted_under_a_digest_with_how_often_it_was_paid_for() -> None:
    tally = tally_of()
    for outcome in ("sent", "cached", "interrupted"):
        tally.observe(event_of(said(HELLO, outcome)))
    (count,) = tally.take().counts
    assert (count.times, count.sent, count.characters) == (3, 2, len(HELLO))
    assert HELLO not in repr(count)
    assert tally.take() == Tallied()


def test_the_same_text_has_another_digest_under_another_key() -> None:
    assert tally_of().digest(CODE, HELLO) != PhraseTally(b"other").digest(CODE, HELLO)


def test_words_with_a_number_never_leave_the_call_but_their_shape_does() -> None:
    tally = tally_of()
    tally.observe(event_of(said(READY)))
    tallied = tally.take()
    assert [words.text for words in tallied.words] == ["Ваше замовлення {n} готове."]
    assert tallied.counts[0].shape == tallied.words[0].subject


def test_declared_words_need_no_witness() -> None:
    tally = tally_of(READY)
    tally.observe(event_of(said(READY)))
    words = {one.text: one.witness for one in tally.take().words}
    assert words[READY] is None


def test_callers_are_told_apart_by_number_and_those_without_one_are_one() -> None:
    tally = tally_of()
    for call_id, caller in (("a", "x"), ("b", "x"), ("c", "y"), ("d", None), ("e", None)):
        started = CallStarted(call_id=call_id, caller=caller, language_code=CODE)
        tally.observe(event_of(started, call_id))
        tally.observe(event_of(said(HELLO), call_id))
        tally.observe(event_of(CallEnded(position=0, reason="hangup"), call_id))
    assert len(tally.take().words) == 3


def test_what_could_not_be_kept_is_counted_with_what_comes() -> None:
    tally = tally_of()
    tally.observe(event_of(said(HELLO)))
    first = tally.take()
    tally.observe(event_of(said(HELLO, "cached")))
    tally.give_back(first)
    again = tally.take()
    assert (again.counts[0].times, again.counts[0].sent) == (2, 1)
    assert again.words == first.words


def test_memory_is_bounded() -> None:
    tally = tally_of(most=3)
    for number in range(10):
        tally.observe(event_of(said("а" * (number + 1))))
    tallied = tally.take()
    assert (len(tallied.counts), len(tallied.words)) == (3, 3)
