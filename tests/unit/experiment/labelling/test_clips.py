import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slukh.audio import linear16_from_samples
from slukh.experiment.labelling.clips import PADDING_SECONDS, clip, voiced_frames

HERTZ = 8000
PADDING = round(PADDING_SECONDS * HERTZ)


def sound(*parts: tuple[float, float]) -> bytes:
    """Noise of so many seconds and so much amplitude, one after the other."""
    generator = np.random.default_rng(1)
    pieces = [generator.normal(0, level, round(HERTZ * seconds)) for seconds, level in parts]
    return linear16_from_samples(np.concatenate(pieces).astype(np.int16))


QUIET, LOUD = 20.0, 3000.0


def test_voice_is_what_is_loud_between_the_ends_of_speech() -> None:
    pcm = sound((0.2, QUIET), (1.0, LOUD), (0.4, QUIET), (1.0, LOUD), (0.4, QUIET))
    voiced = voiced_frames(pcm, (1600, 12_800))  # the second loud part is no speech of the caller's
    assert voiced.tolist() == [False] * 10 + [True] * 50 + [False] * 90


def test_the_middle_word_of_three_is_in_the_middle_of_the_voice() -> None:
    voiced = voiced_frames(sound((1.0, QUIET), (3.0, LOUD), (1.0, QUIET)), (0, 40_000))
    texts = ["перша", "друга", "третя"], ["перша", "інша", "третя"]
    begin, end = clip(texts, (1, 1), (2, 2), voiced)
    assert abs(begin - (2 * HERTZ - PADDING)) < 800
    assert abs(end - (3 * HERTZ + PADDING)) < 800


def test_silence_between_words_takes_no_share_of_them() -> None:
    voiced = voiced_frames(sound((1.0, LOUD), (2.0, QUIET), (1.0, LOUD)), (0, 32_000))
    begin, _ = clip((["так", "так"], ["так", "ні"]), (1, 1), (2, 2), voiced)
    assert begin >= 3 * HERTZ - PADDING - 800


def test_digits_are_long_to_say() -> None:
    voiced = np.ones(500, np.bool_)
    begin, end = clip((["0671234567", "так"], ["0671234567", "ні"]), (1, 1), (2, 2), voiced)
    assert begin > 8.5 * HERTZ
    assert end == 10 * HERTZ


def test_a_word_that_one_text_lacks_is_where_the_other_has_it() -> None:
    voiced = np.ones(200, np.bool_)
    begin, end = clip(([], ["алло", "добрий", "день"]), (0, 1), (0, 3), voiced)
    assert 0.5 * HERTZ < begin < HERTZ
    assert end == 4 * HERTZ


@given(
    st.lists(st.sampled_from(["а", "слово", "205/55"]), max_size=6),
    st.lists(st.sampled_from(["а", "слово", "205/55"]), max_size=6),
    st.lists(st.booleans(), max_size=60),
    st.data(),
)
def test_a_clip_is_a_part_of_the_utterance(
    one: list[str], other: list[str], frames: list[bool], data: st.DataObject
) -> None:
    starts = data.draw(st.integers(0, len(one))), data.draw(st.integers(0, len(other)))
    stops = data.draw(st.integers(starts[0], len(one))), data.draw(st.integers(starts[1], len(other)))
    begin, end = clip((one, other), starts, stops, np.array(frames, np.bool_))
    assert 0 <= begin <= end <= 160 * len(frames)
    assert begin < end or not frames
