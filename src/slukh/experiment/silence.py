"""Whether Whisper hears more words where nobody speaks: a gate of recordings, not of calls.

What counts is how often a dialogue is told of words that nobody said; how many they are makes it no worse. A
single recording may hold a hundred, and a rate of such words has no bound that could be trusted. So words
count as far as there are minutes: at most one for each started minute of a recording, which is then the most
that one recording can say. Both hear the same recordings, and each recording is one observation.
"""

import math
from collections.abc import Sequence

import numpy as np

from slukh.experiment.evidence import Outside, SilentCall
from slukh.experiment.gates import Gate, Margins, Status
from slukh.experiment.statistics.betting import Counted

NAME = "words in silence"
_WANTED = "recordings without speech that both heard: `slukh evaluate --json`, then --evaluation"


def silence_gate(outside: Outside, margins: Margins) -> Gate:
    """Held by bounds that are exact at every look."""
    margin, calls = margins.words_in_silence, outside.silent_calls
    if not calls:
        return _gate("wait", "not measured", margin, missing=_WANTED)
    counted = counted_silence(calls)
    low, high = counted.bounds()
    status: Status = "pass" if high < margin else "fail" if low > margin else "wait"
    minutes = sum(call.seconds for call in calls) / 60
    missing = ""
    if status == "wait":
        times = counted.times_wanted(margin)
        more = (
            "more minutes" if times is None or times <= 1
            else f"{math.ceil(minutes * (times - 1))} minutes more"
        )  # fmt: skip
        missing = f"{more} of recordings without speech like these, through `slukh evaluate --json`"
    heard = ", ".join(
        f"{arm} {sum(words)} words in {sum(map(bool, words))}"
        for arm, words in (
            ("whisper", [call.whisper_words for call in calls]),
            ("google", [call.google_words for call in calls]),
        )
    )
    detail = f"{heard} of {len(calls)} recordings, {minutes:.1f} min"
    if any(max(call.google_words, call.whisper_words) > math.ceil(call.seconds / 60) for call in calls):
        detail += ", one word of each started minute counted"
    return _gate(status, detail, margin, missing=missing, value=counted.rate, low=low, high=high)


def counted_silence(calls: Sequence[SilentCall]) -> Counted:
    """Words of Whisper's less words of Google's, by recording, as far as they count."""
    minutes = np.array([call.seconds / 60 for call in calls])
    most = np.ceil(minutes)
    whisper = np.minimum([call.whisper_words for call in calls], most)
    google = np.minimum([call.google_words for call in calls], most)
    return Counted(differences=whisper - google, sizes=minutes, most=float(most.max()))


def _gate(
    status: Status, detail: str, margin: float, *, missing: str, value: float | None = None,
    low: float | None = None, high: float | None = None,
) -> Gate:  # fmt: skip
    is_known = low is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    return Gate(
        name=NAME, status=status, detail=detail, missing=missing, value=value,
        low=low if is_known else None, high=high if is_known else None, margin=margin, unit="per minute",
    )  # fmt: skip
