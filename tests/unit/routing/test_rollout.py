"""Buckets: recomputed by hand, kept when a share grows, spread evenly."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import SettingsError
from slukh.routing.rollout import BUCKETS, bucket, chain, recovery_bucket, targeting_key, threshold

GOLDEN: list[tuple[str, str, int]] = [
    (salt, key, expected)
    for salt, key, expected in json.loads(
        (Path(__file__).parent / "golden_buckets.json").read_text(encoding="utf-8")
    )
]


def murmur3(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32 in Python, after its definition: the oracle of the compiled one."""
    word = 0xFFFFFFFF

    def mixed(k: int) -> int:
        k = k * 0xCC9E2D51 & word
        k = (k << 15 | k >> 17) & word
        return k * 0x1B873593 & word

    h = seed
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        h ^= mixed(int.from_bytes(data[at : at + 4], "little"))
        h = (h << 13 | h >> 19) & word
        h = (h * 5 + 0xE6546B64) & word
    h ^= mixed(int.from_bytes(data[whole:], "little"))  # no bytes left: mixed(0) is 0
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & word
    h = (h ^ h >> 13) * 0xC2B2AE35 & word
    return h ^ h >> 16


def test_the_oracle_agrees_with_the_published_vectors() -> None:
    assert murmur3(b"") == 0
    assert murmur3(b"", 1) == 0x514E28B7
    assert murmur3(b"", 0xFFFFFFFF) == 0x81F16F39
    assert murmur3(b"test") == 0xBA6BD213
    assert murmur3(b"Hello, world!") == 0xC0363E43
    assert murmur3(b"The quick brown fox jumps over the lazy dog") == 0x2E4FF723


def test_there_are_a_thousand_different_golden_vectors_and_both_ends_are_among_them() -> None:
    assert len({(salt, key) for salt, key, _ in GOLDEN}) == 1000
    buckets = {expected for *_, expected in GOLDEN}
    assert {0, BUCKETS - 1} <= buckets
    assert len({len(f"{salt}:{key}".encode()) % 4 for salt, key, _ in GOLDEN}) == 4


def test_every_golden_vector_is_reproduced() -> None:
    assert [bucket(salt, key) for salt, key, _ in GOLDEN] == [expected for *_, expected in GOLDEN]


@given(salt=st.from_regex(re.compile("[!-9;-~]{1,20}"), fullmatch=True), key=st.text(max_size=60))
def test_a_bucket_is_what_its_definition_says(salt: str, key: str) -> None:
    assert bucket(salt, key) == (murmur3(f"{salt}:{key}".encode()) * 10_000) >> 32


@given(key=st.text(min_size=1), low=st.integers(0, 100), high=st.integers(0, 100))
def test_a_larger_share_keeps_everybody_who_was_in_the_smaller_one(key: str, low: int, high: int) -> None:
    low, high = sorted((low, high))
    is_in_low, is_in_high = (bucket("stt-1", key) < threshold(share) for share in (low, high))
    assert is_in_high or not is_in_low


def test_nobody_is_in_none_and_all_are_in_a_hundred_per_cent() -> None:
    assert (threshold(0), threshold(1), threshold(100)) == (0, 100, BUCKETS)


def test_from_ten_to_fifty_per_cent_nobody_of_the_ten_leaves() -> None:
    callers = [f"{n:016x}" for n in range(20_000)]
    ten = {c for c in callers if bucket("stt-1", c) < threshold(10)}
    fifty = {c for c in callers if bucket("stt-1", c) < threshold(50)}
    assert ten < fifty
    assert len(ten) == pytest.approx(2000, abs=4 * 43)  # binomial: sd 42.4
    assert len(fifty) == pytest.approx(10_000, abs=4 * 71)


@pytest.mark.parametrize("salt", ["stt-1", "stt-1/shadow", "recovery/whisper"])
def test_buckets_are_filled_evenly(salt: str) -> None:
    bins = [0] * 100
    for n in range(100_000):
        bins[bucket(salt, f"380{n:09d}") // 100] += 1
    # Chi-square with 99 degrees of freedom has mean 99 and sd 14.1: five sd either side, as too even is no
    # draw either.
    assert 99 - 70.5 < sum((count - 1000) ** 2 / 1000 for count in bins) < 99 + 70.5


def test_two_salts_draw_independently() -> None:
    callers = [f"{n:016x}" for n in range(20_000)]
    both = sum(bucket("a", c) < threshold(10) and bucket("b", c) < threshold(10) for c in callers)
    assert both == pytest.approx(200, abs=4 * 14.1)


def test_a_withheld_number_is_drawn_by_its_call() -> None:
    assert targeting_key(call_id="c0ffee", caller="00ff") == "00ff"
    assert targeting_key(call_id="c0ffee", caller=None) == "c0ffee"


def test_a_recovery_takes_calls_back_from_the_whole_arm() -> None:
    calls = [f"call-{n}" for n in range(20_000)]
    arm = [c for c in calls if bucket("stt-1", c) < threshold(10)]
    back = sum(recovery_bucket("whisper", c) < threshold(5) for c in arm)
    assert back == pytest.approx(len(arm) * 0.05, abs=4 * 10)


def test_a_chain_is_the_arm_and_then_its_backups_each_once() -> None:
    assert chain("google", backups=("whisper", "google")) == ("google", "whisper")
    assert chain("whisper", backups=()) == ("whisper",)


def test_what_is_forbidden_is_no_backup_either() -> None:
    assert chain("google", backups=("whisper",), forbidden={"google": "x"}) == ("whisper",)
    assert chain("whisper", backups=("google",), forbidden={"google": "x"}) == ("whisper",)
    with pytest.raises(SettingsError, match=r"left for calls of google \(SLUKH_X forbids google\)"):
        chain("google", backups=(), forbidden={"google": "SLUKH_X"})
