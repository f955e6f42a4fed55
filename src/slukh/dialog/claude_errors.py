"""What Anthropic's refusals mean, and whether to try again."""

import anthropic
import httpx2

from slukh.errors import DialogError, ErrorType

_KEY = "set ANTHROPIC_API_KEY or SLUKH_CLAUDE_KEY to a key that may use this model"


def error_from(provider: str, error: Exception) -> DialogError:
    """The error that the client's own means, its remedy in the sentence; never with parts of a key.

    A stream that broke off is httpx2's own, and a client without any key says so by a TypeError.
    """
    kind, detail, is_permanent = _meaning(error)
    return DialogError(provider, detail, error_type=kind, is_permanent=is_permanent)


def _meaning(error: Exception) -> tuple[ErrorType, str, bool]:
    for kinds, meaning in _MEANINGS:
        if isinstance(error, kinds):
            return meaning
    if isinstance(error, anthropic.APIStatusError):
        if error.status_code >= 500:  # noqa: PLR2004  # HTTP's own line
            return "stream", f"HTTP {error.status_code}", False
        refused = f"the request was refused with HTTP {error.status_code}"
        return "request", f"{refused}: check SLUKH_CLAUDE_MODEL, the tools, the account's credit", True
    if isinstance(error, anthropic.APIError | httpx2.HTTPError):
        return "stream", "the answer broke off", False
    return "authentication", f"no usable key: {_KEY}", True


# The first that fits; a time-out is a connection error to the client as well.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], tuple[ErrorType, str, bool]], ...] = (
    (
        (anthropic.APITimeoutError, httpx2.TimeoutException, TimeoutError),
        ("timeout", "no answer in time", False),
    ),
    (
        (anthropic.APIConnectionError,),
        ("connect", "the API cannot be reached: is the network up?", False),
    ),
    (
        (anthropic.AuthenticationError, anthropic.PermissionDeniedError),
        ("authentication", f"the key was refused: {_KEY}", True),
    ),
    ((anthropic.NotFoundError,), ("request", "the model was refused: check SLUKH_CLAUDE_MODEL", True)),
    (
        (anthropic.RateLimitError, anthropic.OverloadedError),
        ("overloaded", "rate limit reached, or the API is overloaded", False),
    ),
)
