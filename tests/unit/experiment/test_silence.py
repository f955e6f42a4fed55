"""What recordings without speech can decide, and what they cannot."""

import re

from slukh.experiment.evidence import Outside, SilentCall
from slukh.experiment.gates import Gate, Margins
from slukh.experiment.silence import silence_gate


def judged(*calls: SilentCall) -> Gate:
    return silence_gate(Outside(silent_calls=calls), Margins())


def recording(whisper: int = 0, google: int = 0, *, seconds: float = 60) -> SilentCall:
    return SilentCall(seconds=seconds, google_words=google, whisper_words=whisper)


def test_one_clip_with_invented_words_takes_no_calls_back() -> None:
    for words in (1, 4, 100):
        found = judged(recording(words, seconds=10))
        assert (found.status, found.value) == ("wait", 6)
    assert judged(recording(100), *[recording()] * 240).status == "wait"


def test_words_in_clip_after_clip_do() -> None:
    found = judged(*[recording(3)] * 20, *[recording()] * 40)
    assert found.status == "fail"
    assert found.detail == (
        "whisper 60 words in 20, google 0 words in 0 of 60 recordings, 60.0 min, "
        "one word of each started minute counted"
    )


def test_an_hour_of_words_in_one_recording_is_one_recording() -> None:
    assert judged(recording(400, seconds=3600)).status == "wait"


def test_many_quiet_recordings_pass() -> None:
    found = judged(*[recording()] * 212)
    assert (found.status, found.value, found.missing) == ("pass", 0.0, "")


def test_as_many_minutes_in_one_recording_do_not() -> None:
    assert judged(recording(seconds=212 * 60)).status == "wait"


def test_what_both_hear_in_the_same_recordings_is_no_difference() -> None:
    assert judged(*[recording(2, 5)] * 300).status == "pass"


def test_too_little_silence_says_how_many_minutes_are_missing() -> None:
    found = judged(*[recording()] * 10)
    assert found.status == "wait"
    minutes = re.match(r"(\d+) minutes more of recordings without speech", found.missing)
    assert minutes is not None
    assert judged(*[recording()] * (10 + int(minutes[1]))).status == "pass"
    assert judged(recording(1), recording()).missing.startswith("more minutes of recordings without speech")


def test_silence_that_nobody_heard_is_missing() -> None:
    assert judged().detail == "not measured"
