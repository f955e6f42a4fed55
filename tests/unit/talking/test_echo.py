"""Echo or caller, on tones that tell words apart, at every delay and level that a line has."""

import numpy as np
import pytest

from slukh.audio import Samples, linear16_from_mulaw, mulaw_from_linear16, samples_from_linear16
from slukh.talking.echo import EchoGuard
from slukh.testing.numbered import numbered_word
from slukh.types import samples_from_ms

FRAME = samples_from_ms(20)
RNG = np.random.default_rng(1)


def voice(seed: int, milliseconds: int = 1500) -> Samples:
    """Noise shaped as speech is: syllables, most of it below 1 kHz."""
    rng = np.random.default_rng(seed)
    samples = samples_from_ms(milliseconds)
    noise = np.convolve(rng.standard_normal(samples), np.hanning(12), "same")
    syllables = np.repeat(rng.uniform(0.2, 1.0, samples // 800 + 1), 800)[:samples]
    return np.asarray(noise * syllables * 1500, dtype=np.int16)


def guard_that_sent(ours: Samples) -> tuple[EchoGuard, float]:
    guard = EchoGuard()
    now = 100.0
    for at in range(0, len(ours) - FRAME, FRAME):
        guard.sent(ours[at : at + FRAME], now + float(RNG.uniform(0, 0.004)))
        now += 0.02
    return guard, now


def echo(ours: Samples, delay_ms: int, loss_db: float) -> Samples:
    """The last 160 ms of what comes back, by G.711."""
    end = len(ours) - samples_from_ms(delay_ms)
    part = ours[end - samples_from_ms(160) : end] * 10 ** (-loss_db / 20)
    return samples_from_linear16(linear16_from_mulaw(mulaw_from_linear16(part.astype("<i2").tobytes())))


@pytest.mark.parametrize("delay_ms", [20, 60, 150, 400])
@pytest.mark.parametrize("loss_db", [8, 15, 25])
def test_our_own_voice_is_known_at_any_delay(delay_ms: int, loss_db: float) -> None:
    ours = voice(1)
    guard, now = guard_that_sent(ours)
    assert guard.is_echo(echo(ours, delay_ms, loss_db), now)


@pytest.mark.parametrize("seed", range(10, 30))
@pytest.mark.parametrize("loss_db", [0, 10, 20])
def test_another_voice_is_the_caller_even_when_it_is_quiet(seed: int, loss_db: float) -> None:
    guard, now = guard_that_sent(voice(1))
    assert not guard.is_echo(echo(voice(seed), 20, loss_db), now)


def test_a_caller_who_speaks_over_the_echo_is_heard() -> None:
    ours = voice(1)
    guard, now = guard_that_sent(ours)
    mixed = echo(ours, 60, 15).astype(np.int32) + echo(voice(2), 20, 0)
    assert not guard.is_echo(mixed.astype(np.int16), now)


def test_a_caller_who_says_what_we_say_as_loud_as_we_do_is_heard() -> None:
    ours = voice(1)
    guard, now = guard_that_sent(ours)
    assert not guard.is_echo(echo(ours, 60, 0), now)


def test_words_of_numbered_audio_are_told_apart() -> None:
    guard, now = guard_that_sent(np.concatenate([numbered_word(11), numbered_word(12), numbered_word(13)]))
    assert not guard.is_echo((numbered_word(47)[:1280] * 0.2).astype(np.int16), now)


def test_after_we_have_been_quiet_for_a_while_it_is_nobody_but_the_caller() -> None:
    ours = voice(1)
    guard, now = guard_that_sent(ours)
    assert guard.is_speaking(now)
    assert not guard.is_speaking(now + 1)
    assert not guard.is_echo(echo(ours, 20, 15), now + 1)


def test_silence_is_no_echo_and_divides_by_nothing() -> None:
    guard, now = guard_that_sent(voice(1))
    assert not guard.is_echo(np.zeros(1280, np.int16), now)
    quiet, later = guard_that_sent(np.zeros(8000, np.int16))
    assert not quiet.is_echo(voice(2)[:1280], later)
    assert not guard.is_echo(np.zeros(0, np.int16), now)
