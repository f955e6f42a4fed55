"""The segmenter on strings of frames: `#` is voiced, `.` is not, `?` is between the two thresholds."""

import numpy as np
import pytest

from slukh.speech.segmenter import (
    Endpointing,
    Segmenter,
    SegmentEvent,
    Utterance,
    UtteranceEnded,
    UtteranceGrew,
    UtteranceStarted,
)
from slukh.speech.vad import FRAME_SAMPLES
from slukh.types import SAMPLE_RATE_HERTZ

PROBABILITY = {"#": 0.9, "?": 0.4, ".": 0.1}
# In frames: pre-roll 2, shortest voice 3, endpoint 4, softer from 20 on, 30 at most.
SHORT = Endpointing(
    pre_roll_ms=64,
    min_voiced_ms=96,
    endpoint_ms=128,
    soften_after_seconds=20 * 0.032,
    max_utterance_seconds=30 * 0.032,
)


def play(
    frames: str, options: Endpointing = SHORT, *, first: int = 0, end: bool = True
) -> list[SegmentEvent]:
    segmenter = Segmenter(options)
    events: list[SegmentEvent] = []
    for number, frame in enumerate(frames, start=first):
        samples = np.full(FRAME_SAMPLES, number, dtype=np.int16)
        events += segmenter.push(samples.tobytes(), PROBABILITY[frame], number * FRAME_SAMPLES)
    return events + (segmenter.finish() if end else [])


def utterances(events: list[SegmentEvent]) -> list[Utterance]:
    return [event.utterance for event in events if isinstance(event, UtteranceEnded)]


def spans(frames: str, options: Endpointing = SHORT) -> list[tuple[int, int]]:
    """(start, end) of each utterance, in frames."""
    return [(u.start // FRAME_SAMPLES, u.end // FRAME_SAMPLES) for u in utterances(play(frames, options))]


def numbers(utterance: Utterance) -> list[int]:
    """The frames whose samples it owns."""
    return [int(np.frombuffer(chunk.pcm, dtype="<i2")[0]) for chunk in utterance.chunks]


def test_an_utterance_has_its_pre_roll_its_voice_and_the_pause_that_ended_it() -> None:
    (utterance,) = utterances(play(".....###.#........"))
    assert numbers(utterance) == list(range(3, 14))
    assert utterance.start == 3 * FRAME_SAMPLES
    assert utterance.speech_start == 5 * FRAME_SAMPLES
    assert utterance.speech_end == 10 * FRAME_SAMPLES
    assert utterance.endpoint == utterance.end == 14 * FRAME_SAMPLES
    assert utterance.voiced_samples == 4 * FRAME_SAMPLES
    assert [chunk.voiced for chunk in utterance.chunks] == [c == "#" for c in "..###.#...."]


def test_it_starts_with_the_frame_that_makes_the_voice_long_enough_and_grows_by_one_chunk_each() -> None:
    kinds = [type(event) for event in play("...###.#....")]
    assert kinds == [UtteranceStarted] + [UtteranceGrew] * 6 + [UtteranceEnded]


def test_a_started_utterance_holds_its_voice_already() -> None:
    (started,) = play("....###", end=False)
    assert numbers(started.utterance) == [2, 3, 4, 5, 6]
    assert not started.utterance.closed


def test_clicks_open_nothing() -> None:
    assert spans("...##.....##.##.##....#.....##") == []


def test_clicks_are_voiced_samples_all_the_same() -> None:
    segmenter = Segmenter(SHORT)
    for number, frame in enumerate("..##..#."):
        segmenter.push(bytes(2 * FRAME_SAMPLES), PROBABILITY[frame], number * FRAME_SAMPLES)
    assert segmenter.voiced_samples == 3 * FRAME_SAMPLES


def test_a_pause_shorter_than_the_endpoint_does_not_end_it() -> None:
    assert spans("..###...###....") == [(0, 15)]


def test_a_voice_between_the_thresholds_stays_voiced_but_starts_nothing() -> None:
    assert spans("??????.#??.....") == [(5, 14)]
    assert utterances(play("..#????...."))[0].speech_end == 7 * FRAME_SAMPLES


def test_the_pre_roll_does_not_reach_into_the_utterance_before() -> None:
    assert spans("###....###....") == [(0, 7), (7, 14)]
    assert spans("###.....###....") == [(0, 7), (7, 15)]


def test_a_voice_that_flickers_at_its_start_is_taken_along_with_its_own_pre_roll() -> None:
    (utterance,) = utterances(play(".....#.##.###...."))
    assert utterance.start == 3 * FRAME_SAMPLES
    assert utterance.speech_start == 5 * FRAME_SAMPLES


def test_a_click_well_before_the_voice_is_not_taken_along() -> None:
    assert spans("....#..###....") == [(5, 14)]


def test_a_line_that_clicks_all_the_time_adds_a_second_at_most() -> None:
    (utterance,) = utterances(play("#." * 100 + "###....", Endpointing(min_voiced_ms=96, endpoint_ms=128)))
    assert utterance.start >= (200 - 8) * FRAME_SAMPLES - SAMPLE_RATE_HERTZ


def test_the_pre_roll_does_not_reach_before_the_call() -> None:
    (utterance,) = utterances(play(".###....", first=50))
    assert utterance.start == 50 * FRAME_SAMPLES


def test_speech_that_does_not_end_is_cut_and_goes_on_at_the_cut() -> None:
    assert spans("#" * 70) == [(0, 30), (30, 60), (60, 70)]


def test_after_a_cut_the_shortest_voice_goes_on() -> None:
    assert spans("#" * 31) == [(0, 30), (30, 31)]


def test_after_a_cut_a_voice_within_the_pause_brings_every_sample_since_the_cut() -> None:
    assert spans("#" * 30 + "...#....") == [(0, 30), (30, 38)]


def test_a_cut_that_nobody_speaks_after_leaves_no_utterance() -> None:
    assert spans("#" * 30 + "......") == [(0, 30)]


def test_once_the_pause_after_a_cut_is_over_clicks_open_nothing_again() -> None:
    assert spans("#" * 30 + "....#......") == [(0, 30)]


def test_a_long_utterance_ends_in_a_shorter_pause() -> None:
    assert spans("#" * 25 + ".....") == [(0, 27)]
    assert spans("#" * 12 + "..." + "#" * 5 + "....") == [(0, 23)]


def test_what_follows_a_softened_endpoint_is_still_speech() -> None:
    assert spans("#" * 25 + "..#" + "....") == [(0, 27), (27, 32)]


def test_the_defaults_cut_at_twenty_eight_seconds() -> None:
    first, second = utterances(play("#" * 900, Endpointing()))
    assert first.samples == 28 * SAMPLE_RATE_HERTZ
    assert (second.start, second.speech_start) == (first.end, first.end)


def test_the_end_of_the_call_closes_an_utterance_at_once() -> None:
    (utterance,) = utterances(play("..###.#"))
    assert (utterance.end, utterance.endpoint) == (7 * FRAME_SAMPLES, 7 * FRAME_SAMPLES)


def test_the_end_of_a_call_in_silence_says_nothing() -> None:
    segmenter = Segmenter(SHORT)
    assert segmenter.finish() == []


def test_utterances_are_counted_up_from_the_first_id() -> None:
    segmenter = Segmenter(SHORT, first_utterance_id=7)
    events: list[SegmentEvent] = []
    for number, frame in enumerate("###....###...."):
        samples = np.zeros(FRAME_SAMPLES, np.int16)
        events += segmenter.push(samples.tobytes(), PROBABILITY[frame], number * FRAME_SAMPLES)
    assert [utterance.id for utterance in utterances(events)] == [7, 8]
    assert segmenter.next_utterance_id == 9


def test_a_released_utterance_keeps_all_but_its_audio() -> None:
    (utterance,) = utterances(play("..###...."))
    utterance.release()
    assert utterance.chunks == []
    assert (utterance.samples, utterance.closed) == (9 * FRAME_SAMPLES, True)


@pytest.mark.parametrize("soften_after_seconds", [28.0, 40.0])
def test_softening_can_be_switched_off(soften_after_seconds: float) -> None:
    options = Endpointing(soften_after_seconds=soften_after_seconds)
    assert spans("#" * 860 + "." * 14 + "#" + "." * 16, options) == [(0, 875)]
