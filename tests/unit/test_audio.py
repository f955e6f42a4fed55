"""G.711 against ITU's tables, and what is promised of the resampler."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slukh.audio import (
    Resampler,
    Samples,
    alaw_from_linear16,
    float32_from_linear16,
    linear16_from_alaw,
    linear16_from_mulaw,
    linear16_from_samples,
    mulaw_from_linear16,
    rms_dbfs,
    samples_from_linear16,
)

EVERY_BYTE = bytes(range(256))
EVERY_SAMPLE = linear16_from_samples(np.arange(-32768, 32768, dtype=np.int32).astype(np.int16))

# Column 7 of tables 2a (mu-law, 14 bits) and 1a (A-law, 13 bits): first level of each chord, and its step.
MULAW_CHORDS = [(0, 2), (33, 4), (99, 8), (231, 16), (495, 32), (1023, 64), (2079, 128), (4191, 256)]
ALAW_CHORDS = [(1, 2), (33, 2), (66, 4), (132, 8), (264, 16), (528, 32), (1056, 64), (2112, 128)]

LINE_RATES = [12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000]
FILE_RATES = [6_000, 11_025, 22_050, 37_800]


def levels(chords: list[tuple[int, int]], scale: int) -> list[int]:
    return [(first + step * number) * scale for first, step in chords for number in range(16)]


def tone(hertz: float, rate: int, seconds: float, amplitude: float = 16_000.0) -> Samples:
    return np.rint(amplitude * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)).astype(
        np.int16
    )


def spectrum_db(samples: Samples, amplitude: float = 16_000.0) -> npt.NDArray[np.float64]:
    """Level of each frequency relative to a tone of that amplitude."""
    window = np.kaiser(len(samples), 14.0)
    relative = np.abs(np.fft.rfft(samples * window)) / (amplitude * window.sum() / 2)
    return np.asarray(20 * np.log10(relative + 1e-12))


def resampled(samples: Samples, from_hertz: int, to_hertz: int, cuts: list[int] | None = None) -> Samples:
    resampler = Resampler(from_hertz, to_hertz)
    parts = np.split(samples, sorted(cuts or []))
    return np.concatenate([*(resampler.resample(part) for part in parts), resampler.flush()])


def test_mulaw_decodes_to_the_levels_of_table_2a() -> None:
    positive = samples_from_linear16(linear16_from_mulaw(EVERY_BYTE))[
        255:127:-1
    ]  # 0xff is +0, 0x80 the loudest
    assert positive.tolist() == levels(MULAW_CHORDS, 4)
    assert positive[-1] == 32124


def test_alaw_decodes_to_the_levels_of_table_1a() -> None:
    codes = bytes((number | 0x80) ^ 0x55 for number in range(128))
    assert samples_from_linear16(linear16_from_alaw(codes)).tolist() == levels(ALAW_CHORDS, 8)


@pytest.mark.parametrize("linear16_from", [linear16_from_mulaw, linear16_from_alaw])
def test_the_sign_bit_mirrors_a_level(linear16_from: object) -> None:
    assert callable(linear16_from)
    samples = samples_from_linear16(linear16_from(EVERY_BYTE))
    assert (samples[:128] == -samples[128:]).all()


def test_every_alaw_byte_survives_a_round_trip() -> None:
    assert alaw_from_linear16(linear16_from_alaw(EVERY_BYTE)) == EVERY_BYTE


def test_every_mulaw_byte_survives_a_round_trip_but_the_negative_zero() -> None:
    expected = EVERY_BYTE.replace(b"\x7f", b"\xff")  # both are 0 in linear PCM
    assert mulaw_from_linear16(linear16_from_mulaw(EVERY_BYTE)) == expected


@pytest.mark.parametrize(
    ("encode", "decode", "chords", "scale"),
    [
        (mulaw_from_linear16, linear16_from_mulaw, MULAW_CHORDS, 4),
        (alaw_from_linear16, linear16_from_alaw, ALAW_CHORDS, 8),
    ],
)
def test_every_sample_is_encoded_within_half_a_step(
    encode: object, decode: object, chords: list[tuple[int, int]], scale: int
) -> None:
    assert callable(encode)
    assert callable(decode)
    exact = samples_from_linear16(EVERY_SAMPLE).astype(np.int32)
    decoded = samples_from_linear16(decode(encode(EVERY_SAMPLE))).astype(np.int32)
    assert (np.diff(decoded) >= 0).all()
    table = np.array(levels(chords, scale))
    loudest = table[-1] + scale * chords[-1][1] // 2
    chord = np.searchsorted([first * scale for first, _ in chords], np.abs(decoded), side="right") - 1
    half_steps = np.array([step * scale // 2 for _, step in chords])[chord]
    is_in_range = np.abs(exact) < loudest
    assert (np.abs(exact - decoded) <= half_steps)[is_in_range].all()
    assert (np.abs(decoded) == table[-1])[~is_in_range].all()


@pytest.mark.parametrize(
    ("linear16_from", "codes", "full_scale", "overload_db"),
    [
        (linear16_from_alaw, "34 21 21 34 b4 a1 a1 b4", 4096 * 8, 3.14),
        (linear16_from_mulaw, "1e 0b 0b 1e 9e 8b 8b 9e", 8159 * 4, 3.17),
    ],
)
def test_the_reference_tone_has_0_dbm0(
    linear16_from: object, codes: str, full_scale: int, overload_db: float
) -> None:
    # Tables 5 and 6 of G.711: these eight bytes are 1 kHz at 0 dBm0; a full-scale sine has 3.14 or 3.17 dBm0.
    assert callable(linear16_from)
    reference = rms_dbfs(samples_from_linear16(linear16_from(bytes.fromhex(codes))))
    loudest_sine = 20 * math.log10(full_scale / 32768 / math.sqrt(2))
    assert loudest_sine - reference == pytest.approx(overload_db, abs=0.005)


def test_an_odd_number_of_bytes_is_no_linear16() -> None:
    with pytest.raises(ValueError, match="multiple"):
        samples_from_linear16(b"\0\0\0")


def test_samples_and_bytes_are_two_views_of_one_thing() -> None:
    samples = np.array([0, 1, -2, 32767, -32768], np.int16)
    assert linear16_from_samples(samples) == b"\0\0\1\0\xfe\xff\xff\x7f\0\x80"
    assert samples_from_linear16(linear16_from_samples(samples)).tolist() == samples.tolist()
    assert float32_from_linear16(linear16_from_samples(samples)).tolist() == (samples / 32768.0).tolist()


def test_loudness_is_relative_to_full_scale() -> None:
    assert rms_dbfs(tone(1000, 8000, 1.0, 32767.0)) == pytest.approx(-3.01, abs=0.01)
    assert rms_dbfs(np.full(160, -32768, np.int16)) == pytest.approx(0.0, abs=1e-4)
    assert rms_dbfs(np.zeros(160, np.int16)) == -math.inf
    assert rms_dbfs(np.zeros(0, np.int16)) == -math.inf


def test_8_to_16_khz_is_late_by_at_most_5_ms() -> None:
    resampler = Resampler(8000, 16000)
    click = np.zeros(800, np.int16)
    click[100] = 30000
    out = resampler.resample(click)
    assert resampler.delay_seconds <= 0.005
    assert np.argmax(out) / 16000 - 100 / 8000 == pytest.approx(resampler.delay_seconds, abs=1 / 16000)


@pytest.mark.parametrize("hertz", [250, 1000, 2500, 3400, 3700, 3950])
def test_no_tone_of_8_khz_audio_has_an_image_above_minus_60_db(hertz: int) -> None:
    out = Resampler(8000, 16000).resample(tone(hertz, 8000, 2.0))[1600:]
    above = np.fft.rfftfreq(len(out), 1 / 16000) > 4000
    assert spectrum_db(out)[above].max() < -60.0


@pytest.mark.parametrize("hertz", [200, 1000, 2500, 3350])
@pytest.mark.parametrize(("from_hertz", "to_hertz"), [(8000, 16000), (16000, 8000), (44100, 8000)])
def test_the_telephone_band_passes_unchanged(hertz: int, from_hertz: int, to_hertz: int) -> None:
    out = Resampler(from_hertz, to_hertz).resample(tone(hertz, from_hertz, 1.0))[to_hertz // 20 :]
    assert np.sqrt(np.mean(out.astype(float) ** 2)) == pytest.approx(16000 / math.sqrt(2), rel=0.01)


@pytest.mark.parametrize("from_hertz", [16_000, 22_050, 44_100, 48_000, 192_000])
def test_a_tone_above_4_khz_does_not_come_back_as_an_alias(from_hertz: int) -> None:
    out = Resampler(from_hertz, 8000).resample(tone(5100, from_hertz, 1.0))[400:]
    assert spectrum_db(out).max() < -60.0


def test_a_20_ms_frame_gives_exactly_20_ms() -> None:
    resampler = Resampler(8000, 16000)
    assert [len(resampler.resample(np.ones(160, np.int16))) for _ in range(50)] == [320] * 50


@pytest.mark.parametrize("from_hertz", LINE_RATES)
def test_every_audiosocket_rate_gives_20_ms_for_20_ms(from_hertz: int) -> None:
    resampler = Resampler(from_hertz, 8000)
    frames = [resampler.resample(tone(1000, from_hertz, 0.02)) for _ in range(50)]
    assert {len(frame) for frame in frames} == {160}


@pytest.mark.parametrize("from_hertz", LINE_RATES + FILE_RATES)
def test_any_rate_keeps_the_length_and_the_pitch(from_hertz: int) -> None:
    out = resampled(tone(1000, from_hertz, 1.0), from_hertz, 8000)
    delay = Resampler(from_hertz, 8000).delay_seconds * 8000
    assert abs(len(out) - 8000 - delay) <= 1
    settled = spectrum_db(out[200:7800])
    assert np.argmax(settled) * 8000 / 7600 == pytest.approx(1000, abs=2)


@settings(max_examples=60)
@given(
    rates=st.sampled_from(
        [(8000, 16000), (16000, 8000), (44100, 8000), (11025, 8000), (8000, 24000), (8000, 8000)]
    ),
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(0, 2000),
    data=st.data(),
)
def test_the_output_does_not_depend_on_how_the_input_is_split(
    rates: tuple[int, int], seed: int, length: int, data: st.DataObject
) -> None:
    loud = np.random.default_rng(seed).integers(-32768, 32768, length).astype(np.int16)
    cuts = data.draw(st.lists(st.integers(0, length), max_size=12))
    assert resampled(loud, *rates, cuts).tolist() == resampled(loud, *rates).tolist()


def test_an_overshoot_is_clipped_and_does_not_wrap() -> None:
    square = np.repeat(np.array([32767, -32768] * 20, np.int16), 40)
    out = Resampler(8000, 16000).resample(square)[
        58:
    ]  # 58 samples of delay: edges now stand at multiples of 80
    halves = out[: len(out) // 80 * 80].reshape(-1, 80)[:, 4:76]
    assert (halves[::2] > 20_000).all()
    assert (halves[1::2] < -20_000).all()
    assert out.max() == 32767


def test_equal_rates_pass_samples_through() -> None:
    resampler = Resampler(8000, 8000)
    samples = tone(440, 8000, 0.1)
    assert resampler.resample(samples) is samples
    assert len(resampler.flush()) == 0
    assert resampler.delay_seconds == 0.0


def test_after_a_flush_it_is_as_new() -> None:
    resampler = Resampler(8000, 16000)
    samples = tone(440, 8000, 0.1)
    first = [resampler.resample(samples).tolist(), resampler.flush().tolist()]
    assert [resampler.resample(samples).tolist(), resampler.flush().tolist()] == first


@pytest.mark.parametrize(("from_hertz", "to_hertz"), [(0, 8000), (8000, -1), (44101, 8000)])
def test_rates_no_device_uses_are_refused(from_hertz: int, to_hertz: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        Resampler(from_hertz, to_hertz)
