"""Where Google is, how a channel there is kept alive, and what happens without credentials."""

from pathlib import Path

import pytest

from slukh.errors import SettingsError, SttAuthenticationError
from slukh.stt.google import GoogleProvider
from slukh.stt.google_channel import host_of
from slukh.stt.google_requests import GoogleModel


@pytest.mark.parametrize(
    ("location", "endpoint", "host"),
    [
        ("eu", "", "eu-speech.googleapis.com"),
        ("europe-west4", "", "europe-west4-speech.googleapis.com"),
        ("global", "", "speech.googleapis.com"),
        ("eu", "127.0.0.1:50551", "127.0.0.1:50551"),
        ("eu", "localhost:50551", "localhost:50551"),
        ("eu", "[::1]:50551", "[::1]:50551"),
    ],
)
def test_the_host_follows_location_and_endpoint(location: str, endpoint: str, host: str) -> None:
    assert host_of(location, endpoint) == host


@pytest.mark.parametrize(
    "endpoint",
    ["10.0.0.5:50551", "eu-speech.googleapis.com:443", "127.0.0.1", "http://127.0.0.1:1", ":5", "x"],
)
def test_audio_goes_in_clear_to_loopback_only(endpoint: str) -> None:
    with pytest.raises(SettingsError, match="GOOGLE_STT_ENDPOINT"):
        host_of("eu", endpoint)


@pytest.mark.parametrize("location", ["", "EU", "eu/recognizers", "evil.example#"])
def test_a_location_is_a_name(location: str) -> None:
    with pytest.raises(SettingsError, match="GOOGLE_STT_LOCATION"):
        host_of(location, "")


def test_a_project_is_needed() -> None:
    with pytest.raises(SettingsError, match="GOOGLE_STT_PROJECT_ID"):
        GoogleProvider(GoogleModel(project_id=""))


@pytest.mark.parametrize("has_variable", [True, False])
async def test_without_credentials_the_start_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_variable: bool
) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # else it asks the network for a metadata server
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    if has_variable:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    provider = GoogleProvider(GoogleModel(project_id="shop"))
    with pytest.raises(SttAuthenticationError, match="gcloud auth application-default login"):
        await provider.start()
    await provider.aclose()
