"""What Google's refusals mean, and whether to try again. Pure.

    UNAVAILABLE INTERNAL UNKNOWN DATA_LOSS CANCELLED  it broke      `connect` until it was open, then `stream`
    DEADLINE_EXCEEDED                                 our deadline  `timeout`
    RESOURCE_EXHAUSTED                                quota         `overloaded`, so not here
    ABORTED, OUT_OF_RANGE about duration or pace      this stream   `limit`: a new one helps
    INVALID_ARGUMENT NOT_FOUND UNIMPLEMENTED ...      what we asked `request` or `language`, permanent
    UNAUTHENTICATED PERMISSION_DENIED                 who we are    `authentication`, permanent

"Max duration of 5 minutes reached" and "305 seconds" mean that a stream of ours was not replaced in time,
"streamed too fast" that we sent faster than Google takes it. They end one stream and do not blame Google.

grpc.aio can report INTERNAL "Internal error from Core" where Google said something else (grpc issue 36066).
`google_stream.py` recovers what Google said; should that fail, the mask is a broken stream, never a verdict.
"""

from slukh.errors import (
    SttAuthenticationError,
    SttConnectError,
    SttError,
    SttLanguageError,
    SttLimitError,
    SttOverloadedError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
)
from slukh.google_access import is_refused_key

MASKED = "Internal error from Core"

_CLASSES: dict[str, type[SttError]] = {
    "UNAVAILABLE": SttStreamError,
    "INTERNAL": SttStreamError,
    "UNKNOWN": SttStreamError,
    "DATA_LOSS": SttStreamError,
    "CANCELLED": SttStreamError,
    "ABORTED": SttStreamError,
    "DEADLINE_EXCEEDED": SttTimeoutError,
    "RESOURCE_EXHAUSTED": SttOverloadedError,
    "INVALID_ARGUMENT": SttRequestError,
    "NOT_FOUND": SttRequestError,
    "ALREADY_EXISTS": SttRequestError,
    "FAILED_PRECONDITION": SttRequestError,
    "OUT_OF_RANGE": SttRequestError,
    "UNIMPLEMENTED": SttRequestError,
    "UNAUTHENTICATED": SttAuthenticationError,
    "PERMISSION_DENIED": SttAuthenticationError,
}

_REMEDIES: dict[type[SttError], str] = {
    SttConnectError: "is the network up, and does GOOGLE_STT_LOCATION or GOOGLE_STT_ENDPOINT name a server?",
    SttOverloadedError: "the project's quota of streams or audio is used up, see GOOGLE_STT_PROJECT_ID",
    SttRequestError: "check GOOGLE_STT_MODEL against GOOGLE_STT_LOCATION",
    SttLanguageError: "check GOOGLE_STT_MODEL and the language against GOOGLE_STT_LOCATION",
    SttAuthenticationError: "check the application credentials and their rights in GOOGLE_STT_PROJECT_ID",
}

# These two are about this one stream when Google speaks of time; parts of its sentences, in lower case.
_ENDS_OF_A_STREAM = ("ABORTED", "OUT_OF_RANGE")
_OF_TIME = (
    "max duration", "stream duration", "no more client requests", "long duration elapsed",
    "streamed too", "real time",
)  # fmt: skip

_QUOTED = 160  # characters of Google's own words in our sentence


def error_from_status(provider: str, code: str, details: str, *, is_open: bool) -> SttError:
    """The error that a gRPC status other than OK means, its remedy in the sentence.

    Args:
        provider: registry name.
        code: gRPC's name of the status, such as `UNAVAILABLE`.
        details: Google's own words; quoted in part.
        is_open: whether the stream had been opened; decides between `connect` and `stream`.

    Source: https://grpc.io/docs/guides/status-codes and the sentences quoted in Google's issue trackers.
    """
    kind = _class_of(code, details.lower())
    if kind is SttStreamError and not is_open:
        kind = SttConnectError
    sentence = code
    if said := " ".join(details.split())[:_QUOTED]:
        sentence += f' "{said}"'
    if remedy := _REMEDIES.get(kind):
        sentence += f": {remedy}"
    return kind(provider, sentence)


def _class_of(code: str, details: str) -> type[SttError]:
    if code in _ENDS_OF_A_STREAM and any(words in details for words in _OF_TIME):
        return SttLimitError
    if code == "INVALID_ARGUMENT" and "language" in details:
        return SttLanguageError
    if is_refused_key(code, details):
        return SttAuthenticationError
    return _CLASSES.get(code, SttStreamError)
