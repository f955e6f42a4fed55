"""What an operator does about Google, by the class of its error."""

from collections.abc import Mapping

from slukh.errors import ErrorType

_TOGETHER = (
    "set GOOGLE_STT_MODEL, GOOGLE_STT_LOCATION and the languages to what Google has together: "
    "https://cloud.google.com/speech-to-text/v2/docs/speech-to-text-supported-languages"
)
REMEDIES: Mapping[ErrorType, str] = {
    "authentication": "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run "
    "`gcloud auth application-default login`; the account needs the role Cloud Speech Client in "
    "GOOGLE_STT_PROJECT_ID",
    "request": _TOGETHER,
    "language": _TOGETHER,
    "overloaded": "ask Google for more quota, or move calls to Whisper by FF_WHISPER_ROLLOUT_PERCENT",
    "connect": "check the network, and the spelling of GOOGLE_STT_LOCATION or GOOGLE_STT_ENDPOINT",
    "timeout": "check the network and the application credentials; calls would go to their backup",
    "stream": "try again; if it stays, calls go to their backup",
    "limit": "try again; a stream of ours was too old, idle or fast for Google",
    "protocol": "GOOGLE_STT_ENDPOINT is something else than a local Google",
}
