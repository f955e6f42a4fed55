"""Where a window begins: after the last change of what is compared, whoever asks.

Bounds hold at every look at a window whose begin was not chosen by what was seen. A begin that moves along
(the last 28 days), or one that a person picks from a report, is a new chance each time. So the begin follows
from what happened: the moment after the last call drawn by lot that had other flags (share, salt, lists),
another model, or a text in another canonical version than the newest has; after the last day on which a
provider heard the stored clips otherwise; or the first call there is.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from slukh.experiment.canaries import changes
from slukh.experiment.evidence import CanaryRow

_JUST_AFTER = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlikeCalls:
    """Calls drawn by lot that had the same flags and the same models.

    Attributes:
        flag_version: of the flags that chose.
        models: model of each provider that heard any of them.
        first: when the first of them ended, UTC.
        last: when the last of them ended, UTC.
    """

    flag_version: str
    models: Mapping[str, str]
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Where a window begins by what happened.

    Attributes:
        at: UTC; calls that ended then or later.
        why: what was before, one clause.
    """

    at: datetime
    why: str


def begin(
    calls: Sequence[AlikeCalls],
    texts: Mapping[str, datetime],
    canaries: Iterable[CanaryRow],
    *,
    known: Collection[str],
    wer_bound: float,
) -> Begin | None:
    """The begin of a window, as of the last of these; None where no call was drawn by lot.

    Args:
        calls: all that are known.
        texts: canonical version -> when the last shadowed call ended that has it.
        canaries: what was made of stored clips meanwhile.
        known: canonical versions of this program.
        wer_bound: see `canaries.changes`.
    """
    if not calls:
        return None
    newest = max(calls, key=lambda each: each.last)
    models: dict[str, str] = {}
    for each in sorted(calls, key=lambda each: each.last):
        models |= each.models
    found = Begin(at=min(each.first for each in calls), why="the first call drawn by lot")
    after = [
        *(
            Begin(at=each.last + _JUST_AFTER, why=f"flags were {each.flag_version} before")
            for each in calls
            if each.flag_version != newest.flag_version
        ),
        *(
            Begin(at=each.last + _JUST_AFTER, why=f"{provider} was {model} before")
            for each in calls
            for provider, model in each.models.items()
            if model != models[provider]
        ),
        *(
            Begin(at=last + _JUST_AFTER, why=f"canonical text was {version} before")
            for version, last in texts.items()
            if version not in known
        ),
    ]
    found = max([found, *after], key=lambda each: each.at)
    heard = list(canaries)
    while changed := changes((row for row in heard if row.heard_at >= found.at), wer_bound=wer_bound):
        newest_change = max(changed, key=lambda change: change.day)
        found = Begin(
            at=datetime.combine(newest_change.day + timedelta(days=1), time(), UTC),
            why=f"{newest_change.provider} changed without a word on {newest_change.day}",
        )
    return found
