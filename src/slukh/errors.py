"""What can go wrong, whose fault it is, and whether to try again.

    SlukhError
     |- UserError                 the operator can mend it: one line, a remedy, exit code 2
     |   |- SettingsError         a setting, flag or language
     |   |- AudioFileError        a recording we cannot play
     |   |- WeightsError          a model file is missing, corrupt or cannot be fetched
     |   |- LedgerError           the usage store cannot be opened or written
     |   |- PriceError            a price book is wrong, or has no price for what was used
     |   |- StatementError        an invoice or usage export that cannot be compared
     |   |- ExperimentError       a manifest, grammar or store of the experiment
     |   |- ScenarioError         a call profile that cannot be
     |   `- ServiceError          a port is taken, a server is not there
     |- TelephonyError            a peer broke the protocol: its connection is closed, no other is touched
     |- SttError                  a recogniser failed; `error_type` is the metric's label
     |   |- SttConnectError       refused, unreachable, TLS             transient
     |   |- SttTimeoutError       a deadline of ours passed             transient
     |   |- SttStreamError        reset, 5xx, process killed            transient
     |   |- SttLimitError         one stream was too old, idle or fast  transient, and nobody's fault but ours
     |   |- SttOverloadedError    429, queue full                       transient, not here
     |   |- SttProtocolError      an answer that is not the protocol    permanent
     |   |- SttRequestError       model or path refused                 permanent
     |   |   `- SttLanguageError  a language that it does not take      permanent, for calls in it
     |   `- SttAuthenticationError  wrong or missing key                permanent
     |- TtsError                  a voice failed; the same leaves: Tts...Error
     `- DialogError               who answers failed; `error_type` and `is_permanent` are fields

Callers branch on the class and its fields, never on the sentence.
"""

from typing import ClassVar, Literal, get_args

ErrorType = Literal[
    "connect", "timeout", "stream", "limit", "overloaded", "protocol", "request", "language",
    "authentication",
]  # fmt: skip
RefusalReason = Literal[
    # the peer broke the protocol
    "audio_before_id", "bad_id", "malformed", "no_id", "peer_error", "second_id", "unauthorized",
    # the gateway did not take it
    "draining",      # we were told to stop
    "duplicate",     # a second connection for a call that is live or long over
    "full",          # no room for another call
    "over_budget",   # the day's budget is spent
    "unannounced",   # no POST /v1/calls came before, and one is required
]  # fmt: skip
REFUSAL_REASONS: tuple[RefusalReason, ...] = get_args(RefusalReason)


class SlukhError(Exception):
    """Root of all errors that Slukh raises on purpose."""


def why_unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Why a text file cannot be read, without its path, which the sentence around this names."""
    if isinstance(error, UnicodeDecodeError):
        return "it is no UTF-8 text"
    return error.strerror or "no reason given"


class UserError(SlukhError):
    """Something that the person at the keyboard can mend.

    Attributes:
        problem: what is wrong, one clause.
        remedy: what to do about it, one clause.
    """

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        # A recogniser's sentence asks what to look at; what to do is then a sentence of its own.
        if self.problem.endswith("?"):
            return f"{self.problem} {self.remedy[:1].upper()}{self.remedy[1:]}"
        return f"{self.problem}: {self.remedy}"


class SettingsError(UserError):
    """A setting, flag or language that cannot be."""


class AudioFileError(UserError):
    """A recording that cannot be played into a call."""


class WeightsError(UserError):
    """Model weights are missing, corrupt, or not to be had."""


class LedgerError(UserError):
    """The usage store cannot be opened or written."""


class PriceError(UserError):
    """A price book that cannot be, or that has no price for a provider, model, unit and day."""


class StatementError(UserError):
    """An invoice or usage export that cannot be compared; names file and line."""


class ExperimentError(UserError):
    """A manifest, a grammar or a store of the experiment that cannot be used."""


class ScenarioError(UserError):
    """A call profile, or what was asked of one, that cannot be."""


class ServiceError(UserError):
    """A port is taken, or a server is not there."""


class TelephonyError(SlukhError):
    """A media connection that is refused or cut off.

    Attributes:
        reason: the label of the metric that counts it.
        detail: what was seen.
    """

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


class _ProviderError(SlukhError):
    """Somebody whom we asked failed; who, and what was seen."""

    error_type: ClassVar[ErrorType]
    is_permanent: ClassVar[bool] = False

    def __init__(self, provider: str, detail: str) -> None:
        super().__init__(provider, detail)
        self.provider = provider
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.provider}: {self.detail}"


class SttError(_ProviderError):
    """A recogniser failed.

    Attributes:
        provider: registry name of the recogniser.
        detail: what was seen, and the remedy where one is known.
        remedy: what an operator does about it, where more is known than its class says; else empty.
        error_type: the closed label of `stt_whisper_errors_total` and of an Attempt's outcome.
        is_permanent: trying the same provider again cannot help.
    """

    def __init__(self, provider: str, detail: str, *, remedy: str = "") -> None:
        super().__init__(provider, detail)
        self.remedy = remedy


class SttConnectError(SttError):
    """Refused, unreachable, or TLS failed."""

    error_type = "connect"


class SttTimeoutError(SttError):
    """A deadline of ours passed."""

    error_type = "timeout"


class SttStreamError(SttError):
    """It broke after it had begun: reset, 5xx, process killed, closed without a reply."""

    error_type = "stream"


class SttLimitError(SttError):
    """It ended one stream that was too old, idle or fast for it: a new one helps, and it works."""

    error_type = "limit"


class SttOverloadedError(SttError):
    """It has no room now: 429, queue full."""

    error_type = "overloaded"


class SttProtocolError(SttError):
    """It answered something that is not the protocol, such as HTML instead of JSON."""

    error_type = "protocol"
    is_permanent = True


class SttRequestError(SttError):
    """It refused what we asked: unknown model or path."""

    error_type: ClassVar[ErrorType] = "request"
    is_permanent = True


class SttLanguageError(SttRequestError):
    """It does not take the languages of this call; another call's it may."""

    error_type = "language"


class SttAuthenticationError(SttError):
    """Wrong or missing key."""

    error_type = "authentication"
    is_permanent = True


STT_ERRORS: tuple[type[SttError], ...] = (
    SttConnectError, SttTimeoutError, SttStreamError, SttLimitError, SttOverloadedError,
    SttProtocolError, SttRequestError, SttLanguageError, SttAuthenticationError,
)  # fmt: skip


class TtsError(_ProviderError):
    """A voice failed; fields as in `SttError`."""


class TtsConnectError(TtsError):
    """Refused, unreachable, or the program is not there."""

    error_type = "connect"


class TtsTimeoutError(TtsError):
    """A deadline of ours passed."""

    error_type = "timeout"


class TtsStreamError(TtsError):
    """It broke after it had begun."""

    error_type = "stream"


class TtsOverloadedError(TtsError):
    """It has no room now."""

    error_type = "overloaded"


class TtsProtocolError(TtsError):
    """It answered something that is not audio."""

    error_type = "protocol"
    is_permanent = True


class TtsRequestError(TtsError):
    """It refused what we asked: unknown voice or language, text that it cannot say."""

    error_type = "request"
    is_permanent = True


class TtsAuthenticationError(TtsError):
    """Wrong or missing key."""

    error_type = "authentication"
    is_permanent = True


class DialogError(SlukhError):
    """Who answers the caller failed.

    Attributes:
        provider: such as `claude`.
        detail: what was seen, and the remedy where one is known.
        error_type: as of a recogniser.
        is_permanent: asking again cannot help.
    """

    def __init__(self, provider: str, detail: str, *, error_type: ErrorType, is_permanent: bool) -> None:
        super().__init__(provider, detail)
        self.provider = provider
        self.detail = detail
        self.error_type = error_type
        self.is_permanent = is_permanent

    def __str__(self) -> str:
        return f"{self.provider}: {self.detail}"
