"""Settings into parts."""

import pytest

from slukh.assembly import build_parts
from slukh.config import load_all


def test_word_timings_of_google_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_STT_PROJECT_ID", "shop")
    given = []
    for value in ("false", "true"):
        monkeypatch.setenv("GOOGLE_STT_WORDS", value)
        google = build_parts(load_all(provider="google")).providers["google"]
        given.append(google.capabilities.words)
    assert given == [False, True]


@pytest.mark.parametrize(
    ("final_seconds", "slow_seconds", "probe_seconds"),
    [(None, 4.0, 3.0), ("4", 2.0, 3.0), ("40", 20.0, 15.0)],
)
def test_a_recogniser_that_may_take_long_is_not_called_slow_and_may_be_probed_as_long(
    monkeypatch: pytest.MonkeyPatch, final_seconds: str | None, slow_seconds: float, probe_seconds: float
) -> None:
    if final_seconds is not None:
        monkeypatch.setenv("SLUKH_FINAL_SECONDS", final_seconds)
    breaker = build_parts(load_all(provider="whisper")).upstreams.limits.breaker
    assert (breaker.slow_seconds, breaker.probe_seconds) == (slow_seconds, probe_seconds)
