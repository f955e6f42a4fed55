"""A provider that changes without a word: the same stored clip, heard otherwise.

Providers put another model behind an old name. A clip has the same audio every day, so what is written of it
changes only when the one who writes does. Some write one of several texts by chance: what a provider wrote on
the first day of a window is its own, whichever it is.

    text   a text that it had not written before; case and punctuation do not count
    wer    as many words wrong on a day, a bound more or less than before: the mixture of its texts is another
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from itertools import groupby
from typing import Literal

from slukh.experiment.evidence import WINDOW, CanaryRow
from slukh.experiment.wer import plain_text

Reason = Literal["text", "wer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A provider hears a clip otherwise.

    Attributes:
        provider: who.
        model: as it names it, before and after.
        language_code: of the clip.
        day: the first on which it was so, UTC.
        reason: what is other.
    """

    provider: str
    model: str
    language_code: str
    day: date
    reason: Reason


def changes(rows: Iterable[CanaryRow], *, wer_bound: float) -> list[Change]:
    """What changed in a window, in the order of provider, model, clip and day.

    A model that goes by another name is no silent change, and not told here.

    Args:
        rows: of the window, in any order.
        wer_bound: by how much a day's word error rate may differ.
    """
    found: list[Change] = []
    for (provider, model, language_code), members in groupby(sorted(rows, key=_order), key=_series):
        series = [(day, list(replays)) for day, replays in groupby(members, key=day_of)]
        others: dict[Reason, Iterator[date]] = {
            "text": _other_texts(series),
            "wer": _other_rates(series, wer_bound),
        }
        found += [
            Change(provider=provider, model=model, language_code=language_code, day=day, reason=reason)
            for reason, days in others.items()
            for day in days
        ]
    return found


class CanaryWatch:
    """Tells a change on the day it comes, once.

    Args:
        rows: of the days before, oldest first.
        wer_bound: see `changes`.
    """

    def __init__(self, rows: Iterable[CanaryRow], *, wer_bound: float) -> None:
        self._wer_bound = wer_bound
        self._rows: defaultdict[tuple[str, str, str], list[CanaryRow]] = defaultdict(list)
        for row in rows:
            self._rows[_series(row)].append(row)
        self._told = {change for kept in self._rows.values() for change in self._changes(kept)}

    def add(self, row: CanaryRow) -> list[Change]:
        """What is other today, and was not told."""
        series = _series(row)
        self._rows[series] = [old for old in self._rows[series] if old.heard_at > row.heard_at - WINDOW]
        self._rows[series].append(row)
        found = [
            change for change in self._changes(self._rows[series])
            if change.day == day_of(row) and change not in self._told
        ]  # fmt: skip
        self._told.update(found)
        return found

    def _changes(self, rows: Iterable[CanaryRow]) -> list[Change]:
        return changes(rows, wer_bound=self._wer_bound)


def day_of(row: CanaryRow) -> date:
    """The day a clip was heard, UTC."""
    return row.heard_at.astimezone(UTC).date()


def _series(row: CanaryRow) -> tuple[str, str, str]:
    return row.provider, row.model, row.language_code


def _order(row: CanaryRow) -> tuple[object, ...]:
    return *_series(row), row.heard_at


_Days = Sequence[tuple[date, Sequence[CanaryRow]]]


def _other_texts(series: _Days) -> Iterator[date]:
    known: set[str] = set()
    for day, replays in series:
        texts = {plain_text(row.text) for row in replays}
        if known and texts - known:
            yield day
        known |= texts


def _other_rates(series: _Days, bound: float) -> Iterator[date]:
    """Errors under two canonical versions do not compare: another version begins anew."""
    before: tuple[str, float] | None = None
    for day, replays in series:
        version = replays[-1].canonical_version
        same = [row for row in replays if row.canonical_version == version]
        wer = sum(row.errors for row in same) / max(1, sum(row.words for row in same))
        is_other = before is not None and before[0] == version and abs(wer - before[1]) > bound
        if is_other:
            yield day
        if is_other or before is None or before[0] != version:
            before = (version, wer)
