"""What an operator does about a recogniser that failed: one sentence, wherever it is said."""

from collections.abc import Mapping
from typing import Final

from slukh.errors import ErrorType, ServiceError, SttError
from slukh.stt import google_remedies
from slukh.stt.whisper import remedies as whisper_remedies

_BY_PROVIDER: Final[Mapping[str, Mapping[ErrorType, str]]] = {"google": google_remedies.REMEDIES}


def remedy_for(error: SttError) -> str:
    """What to do about it, one clause: its own remedy, or that of its class at its provider."""
    return error.remedy or _BY_PROVIDER.get(error.provider, whisper_remedies.REMEDIES)[error.error_type]


def sentence(error: SttError) -> str:
    """What failed and what to do about it, one line; nothing more where the error's words begin to say it."""
    told, remedy = str(error), remedy_for(error)
    return told if remedy.partition(";")[0] in told else str(ServiceError(told, remedy=remedy))


def all_failed(errors: Mapping[str, SttError], *, name: str = "") -> SttError:
    """Nobody works: one error whose sentence and remedy name each; permanent when all of them are.

    Args:
        errors: at least one, by who failed; a lone one speaks for itself.
        name: of all together; else theirs.
    """
    if len(errors) == 1:
        return next(iter(errors.values()))
    kind = type(min(errors.values(), key=lambda error: error.is_permanent))
    remedies: dict[str, list[str]] = {}
    for key, error in errors.items():
        remedies.setdefault(remedy_for(error), []).append(key)
    return kind(
        name or " and ".join(errors),
        "; ".join(f"{key}: {error.detail}" for key, error in errors.items()),
        remedy="; ".join(f"{' and '.join(keys)}: {remedy}" for remedy, keys in remedies.items()),
    )
