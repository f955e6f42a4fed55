"""Codes in both directions, and which language a call is believed to be in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.errors import SettingsError
from slukh.stt.language import SUPPORTED, LanguageTracker, bcp_47, iso_639_1

UK, RU = "uk-UA", "ru-RU"


@pytest.mark.parametrize(("code", "iso"), [(UK, "uk"), (RU, "ru"), ("en-US", "en")])
def test_whisper_is_asked_for_iso_639_1(code: str, iso: str) -> None:
    assert iso_639_1(code) == iso


@pytest.mark.parametrize("said", ["uk", "UK", "ukrainian", "Ukrainian", "uk-UA", "uk-ua", "uk_UA", " uk "])
def test_a_language_is_understood_however_a_server_writes_it(said: str) -> None:
    assert bcp_47(said) == UK


def test_the_preferred_region_wins_where_a_language_has_several() -> None:
    assert bcp_47("en") == "en-US"
    assert bcp_47("english", ("en-GB",)) == "en-GB"
    assert bcp_47("en-us", ("en-GB",)) == "en-US"


@pytest.mark.parametrize("code", list(SUPPORTED))
def test_every_supported_language_comes_back_as_it_went_out(code: str) -> None:
    assert bcp_47(iso_639_1(code), (code,)) == code
    assert bcp_47(SUPPORTED[code].name, (code,)) == code


@pytest.mark.parametrize("unknown", ["xx-YY", "uk", "", "auto"])
def test_what_is_not_a_supported_code_is_refused_with_the_allowed_ones(unknown: str) -> None:
    with pytest.raises(SettingsError, match="uk-UA"):
        iso_639_1(unknown)


@pytest.mark.parametrize("unknown", ["klingon", "", "u", "uk-XX"])
def test_what_is_not_a_language_is_refused(unknown: str) -> None:
    with pytest.raises(SettingsError, match="unknown language"):
        bcp_47(unknown)


def test_a_call_starts_favouring_its_own_language_five_to_one() -> None:
    prior = LanguageTracker(UK, (RU,)).prior()
    assert prior[UK] == pytest.approx(5 * prior[RU])


def test_one_language_has_nothing_to_choose() -> None:
    tracker = LanguageTracker(UK)
    tracker.observe({RU: 1.0}, 10.0)
    assert tracker.prior() == {UK: 1.0}


def test_one_odd_utterance_does_not_turn_a_call() -> None:
    tracker = LanguageTracker(UK, (RU,))
    tracker.observe({UK: 0.01, RU: 0.99}, 5.0)
    assert tracker.favoured == UK


def test_a_caller_who_speaks_the_other_language_is_followed_within_half_a_minute_of_voice() -> None:
    tracker = LanguageTracker(UK, (RU,))
    heard = 0.0
    while tracker.favoured == UK:
        tracker.observe({UK: 0.03, RU: 0.97}, 3.0)
        heard += 3.0
    assert 5.0 < heard <= 30.0
    assert tracker.prior()[RU] > tracker.prior()[UK]


def test_the_calls_own_language_comes_back_sooner_than_it_went() -> None:
    tracker = LanguageTracker(UK, (RU,))
    tracker.observe({RU: 1.0}, 60.0)
    assert tracker.favoured == RU
    tracker.observe({UK: 1.0}, 8.0)
    assert tracker.favoured == UK


def test_a_recogniser_that_cannot_tell_does_not_turn_the_call() -> None:
    tracker = LanguageTracker(UK, (RU,))
    for _ in range(40):
        tracker.observe({UK: 0.1, RU: 0.9}, 2.0)
        tracker.observe({UK: 0.8, RU: 0.2}, 2.0)
        assert tracker.favoured == UK


observations = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from([UK, RU, "en-US", "pl-PL"]), st.floats(-1, 1, allow_nan=False)),
        st.floats(-1, 30),
    )
)


@given(observations)
def test_a_prior_is_always_a_distribution_over_the_allowed_languages(
    seen: list[tuple[dict[str, float], float]],
) -> None:
    tracker = LanguageTracker(UK, (RU, "en-US"))
    for probabilities, voiced_seconds in seen:
        tracker.observe(probabilities, voiced_seconds)
        prior = tracker.prior()
        assert set(prior) == {UK, RU, "en-US"}
        assert math.isclose(sum(prior.values()), 1.0)
        assert min(prior.values()) > 0
        assert max(prior, key=prior.__getitem__) == tracker.favoured
