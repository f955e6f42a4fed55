"""Settings: what cannot be is refused at start, with what can."""

from pathlib import Path

import pytest

from slukh.errors import SettingsError
from slukh.settings.config import GROUPS, Settings, load
from slukh.settings.costs import CostSettings
from slukh.settings.document import reference
from slukh.settings.recognisers import GoogleSettings, WhisperSettings
from slukh.settings.recordings import RecordingSettings
from slukh.settings.voices import VoiceSettings


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
    for group in GROUPS:
        load(group)


def test_an_unknown_provider_is_refused_with_the_allowed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "allowed: google, whisper" in refusal(monkeypatch, FF_STT_PROVIDER="gogle")


@pytest.mark.parametrize("percent", ["101", "-1", "ten", "10.5"])
def test_a_rollout_that_is_no_percentage_is_refused(monkeypatch: pytest.MonkeyPatch, percent: str) -> None:
    assert "FF_WHISPER_ROLLOUT_PERCENT" in refusal(monkeypatch, FF_WHISPER_ROLLOUT_PERCENT=percent)


def test_a_percentage_beside_a_provider_with_all_calls_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unset the rollout" in refusal(
        monkeypatch, FF_STT_PROVIDER="whisper", FF_WHISPER_ROLLOUT_PERCENT="10"
    )


def test_flags_stand_in_a_file_or_in_variables_and_not_in_both(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(monkeypatch, SLUKH_FLAG_FILE="flags.json", FF_WHISPER_KILL="true")
    assert "unset FF_WHISPER_KILL" in sentence


def test_a_hedge_that_is_due_before_its_floor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(monkeypatch, SLUKH_HEDGE_SECONDS="0.5")
    assert "SLUKH_HEDGE_FLOOR_SECONDS=0.8 is later than SLUKH_HEDGE_SECONDS=0.5" in sentence


def test_recording_without_a_key_is_refused_with_what_makes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "secrets.token_hex(32)" in refusal(monkeypatch, SLUKH_RECORDING_DAYS="30")
    monkeypatch.setenv("SLUKH_RECORDING_KEY", "0f" * 32)
    given = load(RecordingSettings)
    assert (given.key, given.days) == (bytes([15] * 32), 30)


@pytest.mark.parametrize("key", ["0f" * 31, "hunter2" * 10, "0f" * 33])
def test_what_is_no_recording_key_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    sentence = refusal(monkeypatch, SLUKH_RECORDING_KEY=key)
    assert "secrets.token_hex(32)" in sentence
    assert key not in sentence


@pytest.mark.parametrize(
    ("urls", "shown"),
    [
        ("http://me:hunter2@gpu1:8000", "'http://...@gpu1:8000'"),
        (
            "http://gpu1,http://gpu2/v1?key=hunter2,http://gpu3",
            "'http://gpu1,http://gpu2/v1?...,http://gpu3'",
        ),
    ],
)
def test_an_address_is_refused_without_the_secret_in_it(
    monkeypatch: pytest.MonkeyPatch, urls: str, shown: str
) -> None:
    sentence = refusal(monkeypatch, WHISPER_API_URL=urls)
    assert "hunter2" not in sentence
    assert f"WHISPER_API_URL={shown} refused" in sentence
    assert "WHISPER_API_KEY" in sentence


def test_nothing_is_recorded_unless_days_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_RECORDING_KEY", "0f" * 32)
    assert load(RecordingSettings).days is None


@pytest.mark.parametrize(
    ("ledger", "experiment", "url"),
    [
        ("", "", "sqlite:////data/experiment.db"),
        ("sqlite:////elsewhere/ledger.db", "", "sqlite:////data/experiment.db"),
        ("postgresql://u:p@h/slukh", "", "postgresql://u:p@h/slukh"),
        ("postgresql://u:p@h/slukh", "sqlite:////x.db", "sqlite:////x.db"),
    ],
)
def test_the_experiment_is_kept_with_a_ledger_in_postgresql(
    monkeypatch: pytest.MonkeyPatch, ledger: str, experiment: str, url: str
) -> None:
    monkeypatch.setenv("SLUKH_DATA_DIR", "/data")
    monkeypatch.setenv("SLUKH_LEDGER_URL", ledger)
    monkeypatch.setenv("SLUKH_EXPERIMENT_URL", experiment)
    assert load(Settings).experiment_url == url


@pytest.mark.parametrize("name", ["SLUKH_LANGUAGE", "SLUKH_ALTERNATIVE_LANGUAGES"])
def test_an_unknown_language_is_refused_with_the_allowed_ones(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sentence = refusal(monkeypatch, **{name: "xx-XX"})
    assert "xx-XX" in sentence
    assert "uk-UA" in sentence


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("SLUKH_ENDPIONT_MS", "SLUKH_ENDPOINT_MS"),
        ("FF_STT_PROVIDR", "FF_STT_PROVIDER"),
        ("GOOGLE_STT_PROJECT", "GOOGLE_STT_PROJECT_ID"),
        ("WHISPER_MODEL", "WHISPER_MODEL_SIZE"),
        ("WHISPER_API_URI", "WHISPER_API_URL"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_one_it_resembles(
    monkeypatch: pytest.MonkeyPatch, wrong: str, meant: str
) -> None:
    assert f"did you mean {meant}?" in refusal(monkeypatch, **{wrong: "1"})


@pytest.mark.parametrize("name", ["WHISPER__MODEL", "WHISPER_THREADS", "WHISPER_CACHE"])
def test_a_setting_of_another_whisper_is_left_alone(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    load_all()


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("SLUKH_ENDPOINT_MS", "soon", "unset it for its default"),
        ("SLUKH_HTTP_HOST", "0.0.0.0", "set SLUKH_API_TOKEN, or listen on 127.0.0.1"),
        ("FF_STT_PROVIDER", "gogle", "allowed: google, whisper"),
    ],
)
def test_a_refusal_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, remedy: str
) -> None:
    assert refusal(monkeypatch, **{name: value}).endswith(remedy)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GOOGLE_STT_LOCATION", "eu.evil.example/"),
        ("GOOGLE_STT_STREAM", "both"),
        ("GOOGLE_STT_BOOST", "21"),
        ("GOOGLE_STT_BOOST", "much"),
    ],
)
def test_what_google_cannot_be_asked_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert name in refusal(monkeypatch, **{name: value})


@pytest.mark.parametrize(("name", "configured"), [("PROJECT_ID", True), ("ENDPOINT", True), ("MODEL", False)])
def test_google_is_configured_by_a_project_or_an_endpoint(
    monkeypatch: pytest.MonkeyPatch, name: str, configured: bool
) -> None:
    monkeypatch.setenv(f"GOOGLE_STT_{name}", "x")
    assert load(GoogleSettings).is_configured is configured


def test_an_open_port_without_a_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "SLUKH_API_TOKEN" in refusal(monkeypatch, SLUKH_HTTP_HOST="0.0.0.0")


def test_an_open_websocket_without_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = refusal(monkeypatch, SLUKH_WEBSOCKET_HOST="0.0.0.0", SLUKH_WEBSOCKET_PORT="9093")
    assert "SLUKH_WEBSOCKET_PASSWORD" in sentence


def test_a_websocket_with_a_password_or_on_loopback_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_WEBSOCKET_PORT", "9093")
    load_all()
    monkeypatch.setenv("SLUKH_WEBSOCKET_HOST", "10.0.0.1")
    monkeypatch.setenv("SLUKH_WEBSOCKET_PASSWORD", "secret")
    load_all()


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


def test_what_is_rented_is_counted_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_RENTED", "server=1, gpu-gex44=2")
    assert load(CostSettings).slukh_rented == {"server": 1, "gpu-gex44": 2}
    for wrong in ("server", "server=0", "=1", "server=many"):
        monkeypatch.setenv("SLUKH_RENTED", wrong)
        with pytest.raises(SettingsError, match="write NAME=NUMBER, comma separated"):
            load(CostSettings)


def test_a_target_that_is_no_band_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUKH_TARGET_LOW_USD", "0.50")
    with pytest.raises(SettingsError, match=r"SLUKH_TARGET_LOW_USD=0.50 is above SLUKH_TARGET_HIGH_USD=0.30"):
        load(CostSettings)


def test_two_settings_that_do_not_go_together_are_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLUKH_TTS", "recorded")
    with pytest.raises(SettingsError, match="set SLUKH_TTS_RECORDINGS"):
        load(VoiceSettings)


def test_the_configuration_page_is_the_one_this_code_writes() -> None:
    page = Path(__file__).parents[3] / "doc" / "configuration.md"
    assert page.read_text(encoding="utf-8") == reference(), "run `make docs`"


def test_servers_of_two_owners_are_refused_because_their_bills_differ() -> None:
    with pytest.raises(SettingsError, match=r"groq, whisper.*one owner"):
        load(WhisperSettings, whisper_api_url="https://api.groq.com/openai/v1,http://10.0.0.5:8000")
    assert load(WhisperSettings, whisper_api_url="https://api.groq.com/openai/v1").payee == "groq"
    assert load(WhisperSettings, whisper_api_url="").payee == "whisper"
