"""Where Whisper's words differ from Google's: by language and length, kind of turn, weekday and hour.

A Whisper that is worse on Saturdays, or in long sentences, hides in an average. Nothing is decided here:
every row has an interval of its own for one look, so of twenty rows one is off by chance alone. Look where a
row points, and ask it again of a new window.

Rows are by what is known of all utterances, labelled or not, and of either recogniser alike: the length is
that of both texts in the mean, days and hours are UTC, a turn is the first of its call or has something in it
that is bought by (sizes, numbers, times, prices, names).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from slukh.experiment.evidence import Evidence, ShadowRow
from slukh.experiment.pairing import Pair, difference, labelled_callers, paired, word_errors
from slukh.experiment.scoring import length_class
from slukh.experiment.statistics.estimates import FEWEST_CLUSTERS

_BAND = 6  # hours
_WEEKEND = {5: "Saturday", 6: "Sunday"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """One row; differences are Whisper less Google.

    Attributes:
        grouping: what it is a part by.
        name: of the part.
        utterances: shadowed, complete.
        disagreement: words in which the two texts differ, per word of both in the mean; None without words.
        labels: of those utterances.
        callers: that the labels are of, as if each had as many.
        value: difference of the word error rates, or None where no two labels are.
        low: lower end of its 95 % interval for one look, or None where the callers are too few for one.
        high: upper end, likewise.
    """

    grouping: str
    name: str
    utterances: int
    disagreement: float | None
    labels: int
    callers: float
    value: float | None
    low: float | None
    high: float | None


GROUPINGS: Mapping[str, Callable[[Pair], str]] = {
    "language and length": lambda pair: f"{pair.language_code}, {_length(pair)}",
    "turn": lambda pair: _turn(pair.row),
    "day (UTC)": lambda pair: _WEEKEND.get(pair.ended_at.weekday(), "Monday to Friday"),
    "hours (UTC)": lambda pair: _hours(pair.ended_at.hour),
}


def strata(evidence: Evidence) -> tuple[Stratum, ...]:
    """All rows, of groupings in which there are two parts at least."""
    pairs = paired(evidence)
    found: list[Stratum] = []
    for grouping, name_of in GROUPINGS.items():
        members: defaultdict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            members[name_of(pair)].append(pair)
        if len(members) > 1:
            found += [_stratum(grouping, name, members[name]) for name in sorted(members)]
    return tuple(found)


def _stratum(grouping: str, name: str, pairs: Sequence[Pair]) -> Stratum:
    words = sum(_words(pair) for pair in pairs)
    labels = sum(pair.label is not None and pair.row.is_contested for pair in pairs)
    estimate, callers = difference(pairs, word_errors), labelled_callers(pairs)
    is_known = labels > 1 and math.isfinite(estimate.value)
    low, high = estimate.interval() if is_known and callers >= FEWEST_CLUSTERS else (-math.inf, math.inf)
    is_bound = math.isfinite(low) and math.isfinite(high)
    return Stratum(
        grouping=grouping,
        name=name,
        utterances=len(pairs),
        disagreement=sum(pair.row.differing_words for pair in pairs) / words if words else None,
        labels=labels,
        callers=callers,
        value=estimate.value if is_known else None,
        low=low if is_bound else None,
        high=high if is_bound else None,
    )


def _words(pair: Pair) -> float:
    return (pair.row.live_words + pair.row.shadow_words) / 2


def _length(pair: Pair) -> str:
    return length_class(_words(pair))


def _turn(row: ShadowRow) -> str:
    if row.utterance_id == 1:
        return "first of the call"
    has_any = row.live_entities + row.shadow_entities > 0
    return "later, with figures or names" if has_any else "later, plain words"


def _hours(hour: int) -> str:
    begin = hour // _BAND * _BAND
    return f"{begin:02} to {begin + _BAND:02}"
