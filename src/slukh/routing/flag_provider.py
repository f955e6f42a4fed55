"""The flags as OpenFeature sees them, and the one evaluation that a call gets.

A program that uses OpenFeature already sees our evaluations in its hooks (log, trace, exposure events),
under the flag keys `stt_provider` and `stt_shadow`. Each `CallFlags` is bound to a domain of its own, so that
two of them in one process, or the program's own default provider, never answer for each other.
"""

# ruff: noqa: ARG002  # the arguments are OpenFeature's

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagResolutionDetails, FlagValueType
from openfeature.flag_evaluation import Reason as OpenFeatureReason
from openfeature.provider import AbstractProvider, Metadata
from openfeature.provider.no_op_provider import NoOpProvider

from slukh.routing.flags import (
    PROVIDER_FLAG,
    SHADOW_FLAG,
    Flags,
    Subject,
    choose_provider,
    choose_shadow,
    subject_of,
)
from slukh.types import CallStarted, FlagDecision

_numbers = itertools.count(1)
_NOBODY: Final = NoOpProvider()  # stands in a domain that is no longer used


class FlagProvider(AbstractProvider):
    """An in-process OpenFeature provider over the flags in force.

    `stt_provider` is a string flag (`google`, `whisper`), `stt_shadow` a boolean one. The context's targeting
    key and its attributes `caller` (keyed hash), `language_code` and `trunk` are what rules may look at.

    Args:
        flags: the values in force at the moment of the question.
    """

    def __init__(self, flags: Callable[[], Flags]) -> None:
        super().__init__()
        self._flags = flags

    def get_metadata(self) -> Metadata:
        """Our name, for hooks."""
        return Metadata(name="slukh")

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """The recogniser of a call."""
        if flag_key != PROVIDER_FLAG:
            _refuse(flag_key)
        flags = self._flags()
        choice = choose_provider(flags, _subject(evaluation_context))
        return FlagResolutionDetails(
            value=choice.variant,
            variant=choice.variant,
            reason=OpenFeatureReason(choice.reason),
            flag_metadata={"version": flags.version},
        )

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Whether the other recogniser hears a call too."""
        if flag_key != SHADOW_FLAG:
            _refuse(flag_key)
        flags = self._flags()
        choice = choose_shadow(flags, _subject(evaluation_context))
        return FlagResolutionDetails(
            value=choice.variant == "on",
            variant=choice.variant,
            reason=OpenFeatureReason(choice.reason),
            flag_metadata={"version": flags.version},
        )

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """There is no such flag."""
        _refuse(flag_key)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """There is no such flag."""
        _refuse(flag_key)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """There is no such flag."""
        _refuse(flag_key)


class CallFlags:
    """The flags of calls: ask once per call, keep the answer on its record.

    Args:
        flags: the values in force: `lambda: file.flags`, or of the environment.
    """

    def __init__(self, flags: Callable[[], Flags]) -> None:
        self._flags = flags
        self._domain = f"slukh-{next(_numbers)}"
        # Not set_provider: it initialises on a thread, and who asks before that is done gets the default.
        api.set_provider_and_wait(FlagProvider(flags), self._domain)
        self._client = api.get_client(self._domain)

    def decide(self, call: CallStarted) -> FlagDecision:
        """The recogniser of a call. Never raises: where a hook fails, the safe provider, reason `ERROR`."""
        return self._decision(
            self._client.get_string_details(PROVIDER_FLAG, self._safe_provider, _context(call))
        )

    def decide_shadow(self, call: CallStarted) -> FlagDecision:
        """Whether the other recogniser hears a call too: `true` or `false`."""
        return self._decision(self._client.get_boolean_details(SHADOW_FLAG, False, _context(call)))

    def close(self) -> None:
        """Leave OpenFeature's registry."""
        api.set_provider_and_wait(_NOBODY, self._domain)

    @property
    def _safe_provider(self) -> str:
        flags = self._flags()
        return "google" if flags.whisper_kill else flags.default_provider

    def _decision(self, details: FlagEvaluationDetails[str] | FlagEvaluationDetails[bool]) -> FlagDecision:
        value = details.value if isinstance(details.value, str) else str(details.value).lower()
        return FlagDecision(
            flag_key=details.flag_key,
            value=value,
            variant=details.variant or value,
            reason=str(details.reason),
            version=str(details.flag_metadata.get("version", self._flags().version)),
        )


def _context(call: CallStarted) -> EvaluationContext:
    subject = subject_of(call)
    # Absent is absent: OpenFeature merges contexts, and has no null.
    found = {"caller": subject.caller, "language_code": subject.language_code, "trunk": subject.trunk}
    attributes = {name: value for name, value in found.items() if value is not None}
    return EvaluationContext(targeting_key=subject.targeting_key, attributes=attributes)


def _subject(context: EvaluationContext | None) -> Subject:
    """What the rules look at, from anybody's context.

    Raises:
        TargetingKeyMissingError: none, or not a text. A default in its place would move calls between the
            arms unseen.
    """
    if context is None or not isinstance(context.targeting_key, str) or not context.targeting_key:
        raise TargetingKeyMissingError("a call is drawn by its targeting key, as a text")
    return Subject(
        targeting_key=context.targeting_key,
        caller=_text(context.attributes.get("caller")),
        language_code=_text(context.attributes.get("language_code")),
        trunk=_text(context.attributes.get("trunk")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _refuse(flag_key: str) -> NoReturn:
    if flag_key in (PROVIDER_FLAG, SHADOW_FLAG):
        raise TypeMismatchError(f"{PROVIDER_FLAG} is a string flag, {SHADOW_FLAG} a boolean one")
    raise FlagNotFoundError(f"flags: {PROVIDER_FLAG}, {SHADOW_FLAG}")
