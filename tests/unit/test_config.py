"""Settings: what cannot be is refused at start, with what can."""

from pathlib import Path

import pytest

from slukh.config import FeatureFlagSettings, Settings, WhisperSettings, load, reference
from slukh.errors import SettingsError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLUKH_API_TOKEN", "SLUKH_HTTP_HOST", "FF_WHISPER_ROLLOUT_PERCENT"):
        monkeypatch.delenv(name, raising=False)


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_all()
    return str(refused.value)


def load_all() -> None:
    for group in (FeatureFlagSettings, WhisperSettings, Settings):
        load(group)


def test_an_unknown_provider_is_refused_with_the_allowed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'whisper'" in refusal(monkeypatch, FF_STT_PROVIDER="gogle")


@pytest.mark.parametrize("percent", ["101", "-1", "ten", "10.5"])
def test_a_rollout_that_is_no_percentage_is_refused(monkeypatch: pytest.MonkeyPatch, percent: str) -> None:
    assert "FF_WHISPER_ROLLOUT_PERCENT" in refusal(monkeypatch, FF_WHISPER_ROLLOUT_PERCENT=percent)


def test_a_percentage_beside_a_provider_with_all_calls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "must be unset" in refusal(monkeypatch, FF_WHISPER_ROLLOUT_PERCENT="10")


@pytest.mark.parametrize("name", ["SLUKH_LANGUAGE", "SLUKH_ALTERNATIVE_LANGUAGES"])
def test_an_unknown_language_is_refused_with_the_allowed_ones(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sentence = refusal(monkeypatch, **{name: "xx-XX"})
    assert "xx-XX" in sentence
    assert "uk-UA" in sentence


def test_a_misspelt_setting_is_refused_with_the_one_it_resembles(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SLUKH_ENDPOINT_MS" in refusal(monkeypatch, SLUKH_ENDPIONT_MS="400")


def test_an_open_port_without_a_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SLUKH_API_TOKEN" in refusal(monkeypatch, SLUKH_HTTP_HOST="0.0.0.0")


def test_an_open_port_with_a_token_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_HTTP_HOST", "0.0.0.0")
    monkeypatch.setenv("SLUKH_API_TOKEN", "secret")
    assert load(Settings).slukh_http_host == "0.0.0.0"


def test_secrets_are_in_no_repr_and_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHISPER_API_KEY", "hunter2")
    monkeypatch.setenv("SLUKH_API_TOKEN", "hunter3")
    assert "hunter" not in repr((load(WhisperSettings), load(Settings)))


def test_a_flag_of_the_command_line_overrides_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_LANGUAGE", "uk-UA")
    assert load(Settings, slukh_language="ru-RU").slukh_language == "ru-RU"
    assert load(Settings, slukh_language=None).slukh_language == "uk-UA"


def test_lists_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_PHRASE_HINTS", "шини, радіус ,диски")
    assert load(Settings).slukh_phrase_hints == ("шини", "радіус", "диски")


@pytest.mark.parametrize("url", ["10.0.0.5:8000", "ftp://x", "ws://x"])
def test_a_server_address_that_is_not_http_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert "http://" in refusal(monkeypatch, WHISPER_API_URL=url)


def test_the_configuration_page_is_the_one_this_code_writes() -> None:
    page = Path(__file__).parents[2] / "doc" / "configuration.md"
    assert page.read_text(encoding="utf-8") == reference(), "run `make docs`"
