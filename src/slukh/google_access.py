"""The way to Google, for hearing and speaking alike: who we are, and how a channel is kept alive.

A token server that does not answer is a network that is down, and asked again; everything else an operator
has to mend. gRPC by itself neither notices a dead link nor comes back soon from an outage (it waits up to two
minutes), hence the options of a channel.
"""

import asyncio
import os
from typing import Final

import google.auth
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.auth.transport.requests import Request

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    TtsAuthenticationError,
    TtsConnectError,
    TtsError,
)

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
CREDENTIALS: Final = "GOOGLE_APPLICATION_CREDENTIALS"
_REMEDY: Final = (
    "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`"
)
_FIRST_RECONNECT_MS, _LATER_RECONNECT_MS = 200, 5000
# gRPC reports a key that the token server refused as UNAVAILABLE; these are the words of a lasting refusal.
_PLUGIN: Final = "metadata from plugin failed"
_REFUSED_KEY: Final = (
    "invalid_grant", "invalid_client", "unauthorized_client", "account_disabled", "invalid_scope",
)  # fmt: skip

Unreachable = type[SttConnectError] | type[TtsConnectError]
Refused = type[SttAuthenticationError] | type[TtsAuthenticationError]


def channel_options(
    *, keepalive_ms: int = 10_000, keepalive_timeout_ms: int = 3_000
) -> list[tuple[str, int]]:
    """What a channel is opened with.

    Args:
        keepalive_ms: a link with streams on which nothing came for so long is pinged; 0: never.
        keepalive_timeout_ms: a ping, or sent data (it also becomes the socket's TCP_USER_TIMEOUT), unanswered
            for so long ends the link.
    """
    options = [
        ("grpc.use_local_subchannel_pool", 1),  # else channels to one host share one connection
        ("grpc.initial_reconnect_backoff_ms", _FIRST_RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", _LATER_RECONNECT_MS),
    ]
    if keepalive_ms:
        options += [
            ("grpc.keepalive_time_ms", keepalive_ms),
            ("grpc.keepalive_timeout_ms", keepalive_timeout_ms),
            ("grpc.http2.max_pings_without_data", 0),  # while a late answer is awaited nothing is sent
        ]
    return options


async def application_credentials(
    provider: str, *, unreachable: Unreachable, refused: Refused, deadline_seconds: float = 10.0
) -> Credentials:
    """The application's default credentials, with a token that proves them good.

    Args:
        provider: registry name.
        unreachable: raised when there is no token in time, or the token server does not answer.
        refused: raised when there are no credentials, or they are refused.
        deadline_seconds: for them to be found and to prove good.
    """

    def find() -> Credentials:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]  # google-auth's has no types
        return credentials

    try:
        async with asyncio.timeout(deadline_seconds):
            return await asyncio.to_thread(find)
    except TimeoutError as error:
        detail = f"no token for Google in {deadline_seconds:g} s: is the network up?"
        raise unreachable(provider, detail) from error
    except (GoogleAuthError, OSError, ValueError) as error:  # a key that is no PEM is a ValueError
        raise error_from_credentials(provider, error, unreachable=unreachable, refused=refused) from error


def error_from_credentials(
    provider: str,
    error: GoogleAuthError | OSError | ValueError,
    *,
    unreachable: Unreachable,
    refused: Refused,
) -> SttError | TtsError:
    """What google-auth's refusal, or an unreadable key file, means, its remedy in the sentence.

    Args:
        provider: registry name.
        error: what google-auth raised; its own words may hold parts of a key file and are not quoted.
        unreachable: see `application_credentials`.
        refused: likewise.
    """
    if _is_transient(error):
        return unreachable(provider, "Google's token server does not answer: is the network up?")
    path = os.environ.get(CREDENTIALS, "")
    if path and not os.path.exists(path):  # noqa: PTH110  # as google-auth takes it
        return refused(provider, f"{path} ({CREDENTIALS}) does not exist: {_REMEDY}")
    if path and isinstance(error, (DefaultCredentialsError, ValueError)):
        return refused(provider, f"{path} ({CREDENTIALS}) is no key file: {_REMEDY}")
    if isinstance(error, DefaultCredentialsError):
        return refused(provider, f"no usable application credentials: {_REMEDY}")
    if isinstance(error, OSError):
        reason = error.strerror or "no reason given"
        return refused(provider, f"the application credentials cannot be read ({reason}): {_REMEDY}")
    return refused(provider, f"Google refused the application credentials: {_REMEDY}")


def is_refused_key(code: str, details: str) -> bool:
    """Whether a gRPC status means a token that was refused for good, though it says UNAVAILABLE.

    Args:
        code: gRPC's name of the status.
        details: Google's own words.
    """
    words = details.lower()
    return code == "UNAVAILABLE" and _PLUGIN in words and any(refusal in words for refusal in _REFUSED_KEY)


def _is_transient(error: GoogleAuthError | OSError | ValueError) -> bool:
    if isinstance(error, RefreshError):  # on Google's own machines it wraps a metadata server that is away
        return error.retryable or isinstance(error.__cause__, TransportError)
    return isinstance(error, TransportError)
