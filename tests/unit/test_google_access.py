"""Credentials that fail mean the same for hearing and speaking, and stay secret; how channels are kept."""

# mypy: disable-error-code="no-untyped-call"
# google-auth's errors have untyped constructors.

import json
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    TtsAuthenticationError,
    TtsConnectError,
)
from slukh.google_access import Refused, Unreachable, channel_options, error_from_credentials
from slukh.stt.google import GoogleProvider
from slukh.stt.google_requests import GoogleModel
from slukh.tts.google import GoogleSpeech, GoogleTts


def test_a_channel_has_keepalive_and_comes_back_soon() -> None:
    options = dict(channel_options(keepalive_ms=7000, keepalive_timeout_ms=2500))
    assert options["grpc.keepalive_time_ms"] == 7000
    assert options["grpc.keepalive_timeout_ms"] == 2500
    assert options["grpc.max_reconnect_backoff_ms"] <= 5000
    assert "grpc.keepalive_time_ms" not in dict(channel_options(keepalive_ms=0))


CLASSES: list[tuple[Unreachable, Refused]] = [
    (SttConnectError, SttAuthenticationError),
    (TtsConnectError, TtsAuthenticationError),
]


def no_metadata_server() -> RefreshError:
    """As google-auth raises it on Google's own machines."""
    error = RefreshError("secret")
    error.__cause__ = TransportError("no route")
    return error


@pytest.mark.parametrize(("unreachable", "refused"), CLASSES)
@pytest.mark.parametrize(
    ("raised", "is_transient"),
    [
        (DefaultCredentialsError("File secret.json was not found."), False),
        (RefreshError("invalid_grant: secret"), False),
        (RefreshError("503 secret", retryable=True), True),
        (TransportError("no route for secret"), True),
        (no_metadata_server(), True),
        (GoogleAuthError("secret"), False),
        (PermissionError(13, "Permission denied", "secret.json"), False),
    ],
)
def test_credentials_that_fail_have_a_class_and_stay_secret(
    raised: GoogleAuthError | OSError, is_transient: bool, unreachable: Unreachable, refused: Refused
) -> None:
    error = error_from_credentials("google", raised, unreachable=unreachable, refused=refused)
    assert type(error) is (unreachable if is_transient else refused)
    assert "secret" not in str(error)
    assert ("network" if is_transient else "GOOGLE_APPLICATION_CREDENTIALS") in error.detail


NO_KEY = json.dumps({
    "type": "service_account", "client_email": "a@b", "token_uri": "http://127.0.0.1:1/",
    "private_key": "secret",
})  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("# Slukh", "is no key file"),
        ("{}", "is no key file"),
        (NO_KEY, "is no key file"),
    ],
)
async def test_a_key_file_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(SttAuthenticationError) as refused:
        await GoogleProvider(GoogleModel(project_id="shop")).start()
    assert f"{path} (GOOGLE_APPLICATION_CREDENTIALS) {said}: set" in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_a_token_server_that_does_not_answer_is_nobodys_wrong_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "type": "service_account",
        "client_email": "shop@example.com",
        "token_uri": f"http://127.0.0.1:{port}/token",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }
    (tmp_path / "key.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop")
    with pytest.raises(SttConnectError, match="token server does not answer"):
        await GoogleProvider(GoogleModel(project_id="shop")).start()
    with pytest.raises(TtsConnectError, match="token server does not answer"):
        await GoogleTts(GoogleSpeech()).start()
