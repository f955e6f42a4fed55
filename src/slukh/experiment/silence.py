"""Whether Whisper hears more words where nobody speaks: a gate of recordings, not of calls."""

from slukh.experiment.evidence import ARMS, Outside
from slukh.experiment.gates import Gate, Margins, Status
from slukh.experiment.statistics.counts import difference, times_wanted

NAME = "words in silence"
_WANTED = "words per minute of recordings without speech: `slukh evaluate --json`, then --evaluation"


def silence_gate(outside: Outside, margins: Margins) -> Gate:
    """Held by bounds where the silence is known; needs scipy then."""
    margin, silences, rates = (
        margins.silent_words_per_minute, outside.silences, outside.silent_words_per_minute,
    )  # fmt: skip
    if all(arm in rates for arm in ARMS):
        return _of_rates(rates["whisper"], rates["google"], margin)
    if not all(arm in silences and silences[arm].seconds for arm in ARMS):
        return _gate("wait", "not measured", margin, missing=_WANTED)
    whisper, google = silences["whisper"], silences["google"]
    value, low, high = difference(whisper, google)
    status: Status = "pass" if high < margin else "fail" if low > margin else "wait"
    missing = ""
    if status == "wait":
        minutes = min(whisper.seconds, google.seconds) / 60
        times = times_wanted(whisper, google, margin)
        more = "more minutes" if times is None else f"{minutes * (times - 1):.0f} minutes more"
        missing = f"{more} of recordings without speech, through `slukh evaluate --json`"
    detail = ", ".join(
        f"{arm} {sum(each.words)} words in {each.seconds / 60:.1f} min"
        for arm, each in (("whisper", whisper), ("google", google))
    )
    return _gate(status, detail, margin, missing=missing, value=value, low=low, high=high)


def _of_rates(whisper: float, google: float, margin: float) -> Gate:
    """Somebody's word that it is well; of how many minutes is not known, so it takes nothing back."""
    difference_ = whisper - google
    status: Status = "pass" if difference_ <= margin else "wait"
    missing = (
        "" if status == "pass"
        else "minutes and words from `slukh evaluate --json`: rates without minutes take no calls back"
    )  # fmt: skip
    return _gate(
        status, f"whisper {whisper:g}, google {google:g}", margin, missing=missing, value=difference_
    )


def _gate(
    status: Status, detail: str, margin: float, *, missing: str, value: float | None = None,
    low: float | None = None, high: float | None = None,
) -> Gate:  # fmt: skip
    return Gate(
        name=NAME, status=status, detail=detail, missing=missing, value=value, low=low, high=high,
        margin=margin, unit="words per minute",
    )  # fmt: skip
