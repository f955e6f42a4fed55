"""Whether an experiment's numbers mean anything: its validity gates."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from slukh.experiment.canaries import changes, day_of
from slukh.experiment.evidence import ARMS, CallRow, Evidence
from slukh.experiment.gates import Gate, Margins, at_this_pace, drawn_calls, validity_gate
from slukh.experiment.label_validity import label_gates
from slukh.experiment.paired import direction_gate
from slukh.experiment.statistics.sequential import sample_ratio_p

_A_DAY = timedelta(days=1)
_BEGIN_ANEW = "`slukh ab ramp` to the same share begins a new window, and is recorded"


def validity_gates(evidence: Evidence, margins: Margins) -> list[Gate]:
    """Whether the numbers mean anything."""
    calls = drawn_calls(evidence)
    return [
        _guardrails(evidence),
        _arms(calls),
        _first_look(evidence, calls, margins),
        _days(evidence, calls, margins),
        *_languages(evidence, calls, margins),
        *_sample_ratios(evidence, calls, margins),
        _unchanged_flags(evidence, calls),
        _unchanged_models(calls),
        _unchanged_canonical_text(evidence),
        *_stored_clips(evidence, calls, margins),
        _clocks(evidence),
        _shadow_loss(evidence, margins),
        *label_gates(evidence, margins),
        direction_gate(evidence, margins),
    ]


def _guardrails(evidence: Evidence) -> Gate:
    return validity_gate(
        "guardrails", not evidence.rolled_back, evidence.rolled_back or "no rollback stands",
        "find the cause, then `slukh ab ramp`: the window begins after it",
    )  # fmt: skip


def _arms(calls: Sequence[CallRow]) -> Gate:
    counts = Counter(call.arm for call in calls)
    empty = [arm for arm in ARMS if not counts[arm]]
    detail = ", ".join(f"{arm} {counts[arm]}" for arm in ARMS)
    remedy = (
        "calls are drawn by lot while FF_WHISPER_ROLLOUT_PERCENT is 1 to 99 (`slukh ab ramp` with a flag "
        "file), and no list chose for them"
    )
    return validity_gate(
        "arms", not empty, f"calls drawn by lot: {detail}",
        f"no calls in the arm {' and '.join(empty)}: {remedy}",
    )  # fmt: skip


def _first_look(evidence: Evidence, calls: Sequence[CallRow], margins: Margins) -> Gate:
    """The bounds hold for large numbers only, of what does not depend on each other."""
    fewest = min(len({call.cluster for call in calls if call.arm == arm}) for arm in ARMS)
    return validity_gate(
        "a first look", fewest >= margins.first_look, f"{fewest} callers in the smaller arm",
        f"{margins.first_look - fewest} callers more in it before anything is decided",
        at_this_pace(_began(evidence, calls), evidence.until, fewest, margins.first_look),
    )  # fmt: skip


def _days(evidence: Evidence, calls: Sequence[CallRow], margins: Margins) -> Gate:
    first = _began(evidence, calls)
    last = min(evidence.until, max((call.ended_at for call in calls), default=evidence.until))
    days = (last - first) // _A_DAY  # a gateway that stands still adds none
    return validity_gate(
        "days", days >= margins.days, f"{days} full days",
        f"{margins.days - days} days more", evidence.until + (first + timedelta(days=margins.days) - last),
        kind="enough",
    )  # fmt: skip


def _began(evidence: Evidence, calls: Sequence[CallRow]) -> datetime:
    return min((call.started_at for call in calls), default=evidence.until)


def _languages(evidence: Evidence, calls: Sequence[CallRow], margins: Margins) -> list[Gate]:
    counts = Counter(call.language_code for call in calls if call.arm == "whisper")
    gates = []
    for language in sorted({call.language_code for call in calls}):
        count, wanted = counts[language], margins.calls_per_language
        gates.append(
            validity_gate(
                f"calls in {language}", count >= wanted, f"{count} of Whisper's",
                f"{wanted - count} more",
                at_this_pace(_began(evidence, calls), evidence.until, count, wanted), kind="enough",
            )
        )  # fmt: skip
    return gates


def _sample_ratios(evidence: Evidence, calls: Sequence[CallRow], margins: Margins) -> list[Gate]:
    """Whether callers fell into the arms as the flags say: by callers, as the lot is drawn.

    All calls of a caller have one lot, and how many they are says nothing of it. A call with a withheld
    number has a lot of its own, and counts as a caller. What hides some calls of a caller and not all of
    them is not seen here.
    """
    shares = {"google": 1 - evidence.whisper_share, "whisper": evidence.whisper_share}
    reported = {row.call_id for row in evidence.outcomes}
    # Who tells less often how calls went has other calls in the comparison, not fewer.
    groups = {"": list(calls)}
    if with_outcomes := [call for call in calls if call.call_id in reported]:
        groups[" with outcomes"] = with_outcomes
    has_several_workers = len({call.worker for call in calls}) > 1
    for call in calls:
        groups.setdefault(f" in {call.language_code}", []).append(call)
        if has_several_workers and call.worker:
            groups.setdefault(f" at {call.worker}", []).append(call)
    gates = []
    for group, members in sorted(groups.items()):
        counts = Counter(arm for arm, _ in {(call.arm, call.cluster) for call in members})
        p = sample_ratio_p(counts, shares)
        share = counts["whisper"] / max(1, counts.total())
        gates.append(
            validity_gate(
                f"sample ratio{group}", p >= margins.sample_ratio_p,
                f"Whisper has {share:.1%} of {counts.total()} callers, "
                f"should have {evidence.whisper_share:.0%}, p {p:.2g}",
                f"find what gives, loses or hides calls by arm; {_BEGIN_ANEW}", seen=members,
            )
        )  # fmt: skip
    return gates


def _unchanged_flags(evidence: Evidence, calls: Sequence[CallRow]) -> Gate:
    versions = sorted({call.flag_version for call in calls})
    is_one = versions == [evidence.flag_version] or not versions
    return validity_gate(
        "flags unchanged", is_one,
        f"in force {evidence.flag_version or 'none'}, seen {', '.join(versions) or 'none'}",
        "the share, salt or a list changed in the window: leave --since out, and it begins after the change",
        seen=versions,
    )  # fmt: skip


def _unchanged_models(calls: Iterable[CallRow]) -> Gate:
    seen: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        for provider, model in call.models.items():
            seen[provider].add(model)
    changed = {provider: models for provider, models in seen.items() if len(models) > 1}
    detail = "; ".join(f"{provider} {', '.join(sorted(models))}" for provider, models in sorted(seen.items()))
    return validity_gate(
        "models unchanged", not changed, detail or "none seen",
        f"{' and '.join(sorted(changed))} changed its model: leave --since out, the window begins after it",
        seen=seen,
    )  # fmt: skip


def _unchanged_canonical_text(evidence: Evidence) -> Gate:
    of_shadows = {row.canonical_version for row in evidence.shadows}
    versions = sorted(of_shadows | {label.canonical_version for label in evidence.labels})
    known = set(evidence.canonical_version.values())
    return validity_gate(
        "canonical text unchanged", set(versions) <= known, f"seen {', '.join(versions) or 'none'}",
        "errors under two versions do not compare: label anew, or leave --since out: it begins after that",
        seen=versions,
    )  # fmt: skip


def _stored_clips(evidence: Evidence, calls: Sequence[CallRow], margins: Margins) -> list[Gate]:
    """Whether each provider was the same all the time, and whether that could be seen."""
    days = {arm: {day_of(row) for row in evidence.canaries if row.provider == arm} for arm in ARMS}
    unseen = [arm for arm in ARMS if not _covers(days[arm], calls)]
    found = changes(evidence.canaries, wer_bound=margins.canary_wer)
    told = "; ".join(f"{c.provider} on {c.day} ({c.language_code}, {c.reason})" for c in found)
    newest = max((change.day for change in found), default=None)
    return [
        validity_gate(
            "stored clips heard",
            not unseen,
            "days: " + ", ".join(f"{arm} {len(days[arm])}" for arm in ARMS),
            f"both providers must hear them from the first day to the last (SLUKH_CANARY_MINUTES): "
            f"{' and '.join(unseen)} did not",
            kind="enough",
            seen=calls,
        ),
        validity_gate(
            "stored clips heard alike",
            not found,
            told or ("the same texts" if evidence.canaries else "none heard"),
            f"a provider changed without a word: leave --since out, and the window begins after {newest}",
            seen=evidence.canaries,
        ),
    ]


def _covers(days: Collection[date], calls: Sequence[CallRow]) -> bool:
    """Whether clips were heard from the first day of calls to the last, give or take a day."""
    if not days or not calls:
        return not calls
    first, last = (pick(call.ended_at for call in calls).astimezone(UTC).date() for pick in (min, max))
    return min(days) <= first + _A_DAY and max(days) >= last - _A_DAY


def _clocks(evidence: Evidence) -> Gate:
    wrong = sum(call.clock_jumped or call.ended_at < call.started_at for call in evidence.calls)
    return validity_gate(
        "clocks", not wrong, f"{wrong} calls in which the clock jumped",
        f"set the machine's clock right (chrony); {_BEGIN_ANEW}", seen=evidence.calls,
    )  # fmt: skip


def _shadow_loss(evidence: Evidence, margins: Margins) -> Gate:
    lost, all_of_them = sum(not row.is_complete for row in evidence.shadows), len(evidence.shadows)
    share = lost / all_of_them if all_of_them else 0.0
    return validity_gate(
        "shadow complete", share <= margins.shadow_loss, f"{lost} of {all_of_them} utterances lost",
        "what is lost is not what is kept: give the shadow more room, or a smaller FF_SHADOW_PERCENT",
        seen=evidence.shadows,
    )  # fmt: skip
