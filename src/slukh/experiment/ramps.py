"""Changes of Whisper's share, and what a verdict on a window before them needs to be made again."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from slukh.experiment.evidence import RampRow
from slukh.experiment.gates import Gate

_CODE = ("gates_version", "canonical_version", "models")  # what makes the verdicts of one window differ
_MAY_GROW = frozenset({"labels", "outcomes", "draws"})  # of a window that is over


def share_at(moment: datetime, ramps: Sequence[RampRow], *, now: int) -> int:
    """Whisper's share, per cent, at the end of a window: a report of the past is made again after a ramp.

    Args:
        moment: the end.
        ramps: all that are known, oldest first.
        now: the share in force.
    """
    return next((row.from_percent for row in ramps if row.decided_at >= moment), now)


def rollback_at(moment: datetime, ramps: Sequence[RampRow]) -> RampRow | None:
    """The guardrails' change of the share that stood at a moment, if one did; people have ended it since.

    Args:
        moment: the end of a window.
        ramps: all that are known, oldest first.
    """
    before = [row for row in ramps if row.decided_at < moment]
    return before[-1] if before and before[-1].is_guardrails else None


def recorded_inputs(since: datetime, until: datetime, ramps: Sequence[RampRow]) -> Mapping[str, object]:
    """What the verdict on just this window was made of when a ramp stood on it; empty where none did."""
    window = {"since": since.isoformat(), "until": until.isoformat()}
    return next((row.inputs for row in reversed(ramps) if window.items() <= row.inputs.items()), {})


def recorded_gate(recorded: Mapping[str, object], now: Mapping[str, object]) -> Gate:
    """Whether a verdict that a ramp stood on is made of the same again.

    Args:
        recorded: its inputs at that time, plain JSON values; nothing where no ramp stood on this window.
        now: those of now.
    """
    before, after = _flat(recorded), _flat(now)
    if recorded:  # versions that kept none had other gates
        before.setdefault("gates_version", None)
    changed = sorted(name for name in before if before[name] != after.get(name))
    is_same = _MAY_GROW.issuperset(changed)
    told = "as the ramp had them" if recorded else "no ramp stood on this window"
    return Gate(
        name="inputs as recorded",
        kind="validity",
        status="pass" if is_same else "fail",
        detail=f"changed since the ramp: {', '.join(changed)}" if changed else told,
        is_empty=not recorded,
        missing=(
            ""
            if is_same
            else "take files, prices, options, version of then; calls that were forgotten are gone for good"
        ),
    )


def code_changes(ramps: Sequence[RampRow], now: Mapping[str, object]) -> list[str]:
    """What verdicts are made with and by, where it is another than when a person last changed the share.

    Args:
        ramps: all that are known, oldest first.
        now: inputs of a verdict.
    """
    kept = next((row.inputs for row in reversed(ramps) if not row.is_guardrails), None)
    if kept is None:
        return []
    before, after = ({name: of.get(name) for name in _CODE} for of in (kept, now))
    return [
        f"{name.replace('_', ' ')} {_told(before[name])}, now {_told(after[name])}"
        for name in _CODE
        if before[name] != after[name]
    ]


def _told(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_told(of)}" for name, of in sorted(value.items())) or "none"
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value or "not kept")


def _flat(inputs: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """By dotted names, without where figures come from: that may be another place."""
    found: dict[str, object] = {}
    for key, value in inputs.items():
        name = prefix + key
        if name == "outside.origins":
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}.")
        else:
            found[name] = value
    return found
