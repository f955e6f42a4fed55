"""What recordings without speech can decide, and what they cannot."""

import re

from slukh.experiment.evidence import Outside
from slukh.experiment.gates import Gate, Margins
from slukh.experiment.silence import silence_gate
from slukh.experiment.statistics.counts import Silence

QUIET = Silence(seconds=14_400)


def judged(whisper: Silence, google: Silence) -> Gate:
    return silence_gate(Outside(silences={"whisper": whisper, "google": google}), Margins())


def test_one_clip_with_invented_words_takes_no_calls_back() -> None:
    for words in (1, 4, 100):
        found = judged(Silence(seconds=10, words=(words,)), Silence(seconds=10))
        assert found.status == "wait"
        assert found.value == 6 * words
    assert judged(Silence(seconds=14_400, words=(100,)), QUIET).status == "wait"


def test_words_in_clip_after_clip_do() -> None:
    assert judged(Silence(seconds=14_400, words=(3,) * 20), QUIET).status == "fail"


def test_four_quiet_hours_of_both_pass() -> None:
    found = judged(QUIET, QUIET)
    assert (found.status, found.value, found.missing) == ("pass", 0.0, "")
    assert found.detail == "whisper 0 words in 240.0 min, google 0 words in 240.0 min"


def test_too_little_silence_says_how_many_minutes_are_missing() -> None:
    found = judged(Silence(seconds=600), Silence(seconds=600))
    assert found.status == "wait"
    minutes = re.match(r"(\d+) minutes more of recordings without speech", found.missing)
    assert minutes is not None
    enough = Silence(seconds=600 + 60 * int(minutes[1]))
    assert judged(enough, enough).status == "pass"


def test_a_rate_without_its_minutes_passes_or_waits_and_says_why() -> None:
    def told(whisper: float) -> Gate:
        rates = {"whisper": whisper, "google": 0.1}
        return silence_gate(Outside(silent_words_per_minute=rates), Margins())

    assert told(0.1).status == "pass"
    assert told(50.0).status == "wait"
    assert "rates without minutes take no calls back" in told(50.0).missing


def test_silence_that_one_of_them_did_not_hear_is_missing() -> None:
    assert silence_gate(Outside(silences={"whisper": QUIET}), Margins()).detail == "not measured"
    assert judged(QUIET, Silence(seconds=0)).detail == "not measured"
