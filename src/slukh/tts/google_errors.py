"""What Google Text-to-Speech's refusals mean, and whether to try again. Pure.

    UNAVAILABLE INTERNAL UNKNOWN ABORTED      it broke       `connect` until audio came, then `stream`
    DEADLINE_EXCEEDED                         our deadline   `timeout`
    RESOURCE_EXHAUSTED                        quota          `overloaded`
    INVALID_ARGUMENT NOT_FOUND ...            what we asked  `request`, permanent: a voice that does not exist
    UNAUTHENTICATED PERMISSION_DENIED         who we are     `authentication`, permanent

Source: https://grpc.io/docs/guides/status-codes.
"""

from slukh.errors import (
    TtsAuthenticationError,
    TtsConnectError,
    TtsError,
    TtsOverloadedError,
    TtsRequestError,
    TtsStreamError,
    TtsTimeoutError,
)
from slukh.google_access import is_refused_key

_CLASSES: dict[str, type[TtsError]] = {
    "DEADLINE_EXCEEDED": TtsTimeoutError,
    "RESOURCE_EXHAUSTED": TtsOverloadedError,
    "INVALID_ARGUMENT": TtsRequestError,
    "NOT_FOUND": TtsRequestError,
    "FAILED_PRECONDITION": TtsRequestError,
    "OUT_OF_RANGE": TtsRequestError,
    "UNIMPLEMENTED": TtsRequestError,
    "UNAUTHENTICATED": TtsAuthenticationError,
    "PERMISSION_DENIED": TtsAuthenticationError,
}

_REMEDIES: dict[type[TtsError], str] = {
    TtsConnectError: "is the network up?",
    TtsOverloadedError: "the project's quota of Text-to-Speech is used up",
    TtsRequestError: "check the voice and its language in SLUKH_TTS_GOOGLE_VOICES",
    TtsAuthenticationError: "`gcloud auth application-default login`, or a key file in "
    "GOOGLE_APPLICATION_CREDENTIALS; its project needs the Text-to-Speech API",
}

_QUOTED = 160


def error_from_status(provider: str, code: str, details: str, *, has_spoken: bool) -> TtsError:
    """The error that a gRPC status other than OK means, its remedy in the sentence.

    Args:
        provider: registry name.
        code: gRPC's name of the status, such as `UNAVAILABLE`.
        details: Google's own words; quoted in part.
        has_spoken: whether audio of the sentence had come.
    """
    if is_refused_key(code, details):
        kind: type[TtsError] = TtsAuthenticationError
    else:
        kind = _CLASSES.get(code, TtsStreamError if has_spoken else TtsConnectError)
    sentence = code
    if said := " ".join(details.split())[:_QUOTED]:
        sentence += f' "{said}"'
    if remedy := _REMEDIES.get(kind):
        sentence += f": {remedy}"
    return kind(provider, sentence)
