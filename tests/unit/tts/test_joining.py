"""Where pieces of a sentence meet."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.audio import Samples, linear16_from_samples, samples_from_linear16
from slukh.tts.joining import Joiner

FADE, LEFT = 80, 200


def tone(milliseconds: int, *, before_ms: int = 0, after_ms: int = 0) -> Samples:
    """200 Hz that stops in mid-wave, with silence around it: a click where it is cut off."""
    t = np.arange(8 * milliseconds)
    sound = np.rint(9000 * np.sin(2 * np.pi * 200 * t / 8000 + 1.0))
    return np.concatenate([np.zeros(8 * before_ms), sound, np.zeros(8 * after_ms)]).astype(np.int16)


def joined(pieces: Sequence[Samples], *, grain: int = 1, chunk: int = 160) -> list[Samples]:
    joiner, out = Joiner(grain_samples=grain), []
    for number, piece in enumerate(pieces, 1):
        made = b"".join(
            joiner.push(linear16_from_samples(piece[at : at + chunk])) for at in range(0, len(piece), chunk)
        )
        made += joiner.finish(is_last=number == len(pieces))
        out.append(samples_from_linear16(made))
    return out


def steepest(samples: Samples) -> int:
    return int(np.abs(np.diff(samples.astype(np.int32))).max())


def test_the_joint_does_not_click() -> None:
    pieces = [tone(203), tone(101), tone(151)]
    inside = steepest(pieces[0])
    assert steepest(np.concatenate(pieces)) > 3 * inside  # as it would be
    assert steepest(np.concatenate(joined(pieces))) < 1.6 * inside


def test_silence_inside_a_sentence_goes_and_silence_around_it_stays() -> None:
    pieces = [tone(200, before_ms=300, after_ms=400), tone(100, before_ms=250, after_ms=350)]
    whole = np.concatenate(joined(pieces))
    assert len(whole) == 8 * (300 + 200 + 100 + 350) + 2 * LEFT - FADE
    assert not whole[:2400].any()
    assert not whole[-2800:].any()


def test_every_piece_but_the_last_is_whole_frames() -> None:
    made = joined([tone(203), tone(15), tone(151)], grain=160)
    assert [len(one) % 160 for one in made[:-1]] == [0, 0]


def test_a_sentence_in_one_piece_stays_as_it_is() -> None:
    piece = tone(200, before_ms=30, after_ms=40)
    assert np.array_equal(joined([piece])[0], piece)


@pytest.mark.parametrize("empty", [np.empty(0, np.int16), np.zeros(4000, np.int16)])
def test_a_piece_without_sound_breaks_nothing(empty: Samples) -> None:
    whole = np.concatenate(joined([tone(100), empty, tone(100)]))
    assert 8 * 200 - 2 * FADE <= len(whole) <= 8 * 200 + 2 * LEFT


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=4),
    st.sampled_from([1, 160]),
    st.integers(1, 700),
)
def test_pieces_with_sound_are_the_same_however_they_came(
    lengths: list[tuple[int, int, int]], grain: int, chunk: int
) -> None:
    pieces = [tone(own, before_ms=before, after_ms=after) for own, before, after in lengths]
    once = np.concatenate(joined(pieces, chunk=10**6))
    assert np.array_equal(np.concatenate(joined(pieces, grain=grain, chunk=chunk)), once)
