"""`slukh ab ramp`: another share for Whisper, with a verdict or a reason on record; it ends a rollback."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from slukh.errors import SettingsError, UserError
from slukh.experiment.evidence import RampRow
from slukh.experiment.ramps import code_changes, rollback_at
from slukh.experiment.store import ExperimentStore
from slukh.experiment.verdict import Verdict
from slukh.routing.live_flags import LiveFlags
from slukh.routing.rollback import Rollback
from slukh.routing.share_files import RollbackFile, write_share
from slukh.settings.config import AllSettings

_STANDS = timedelta(days=1)  # what came after a window may say otherwise


def flags_in_force(given: AllSettings) -> LiveFlags:
    """The flags as a gateway with these settings has them; callers on their lists are not told apart."""
    return LiveFlags(
        given.flags.slukh_flag_file,
        given.flags.as_environment(),
        RollbackFile(given.settings.rollback_path),
        caller_hash=lambda _number: "0" * 16,
    )


def rolled_back_at(moment: datetime, ramps: Sequence[RampRow], now: Rollback | None) -> str:
    """Why guardrails kept the share at 0 at a moment; empty where they did not.

    Args:
        moment: the end of a window.
        ramps: every change of the share that was recorded.
        now: the rollback that stands.
    """
    if now is not None and now.at <= moment:
        return str(now)
    row = rollback_at(moment, ramps)
    if row is None:
        return ""
    return str(Rollback(at=row.decided_at, reason=row.override or "", from_percent=row.from_percent))


def ramp(given: AllSettings, verdict: Verdict, *, to: int, override: str | None) -> RampRow:
    """Change the share, and end a rollback; running gateways take it for their next call.

    Less takes no PROMOTE: a way back must not wait for statistics.

    Args:
        given: settings.
        verdict: as it stands.
        to: per cent of the calls.
        override: why it is more without a PROMOTE, or None.

    Raises:
        SettingsError: the share is in no file that can be written, and is another one.
        UserError: more is asked, and the verdict does not allow it.
    """
    path = given.flags.slukh_flag_file
    live = flags_in_force(given)
    now = live.flags.share
    if path is None:
        _is_the_environments(live, to)
    why_not = _why_not(verdict, live.flags.rolled_back)
    if to > now and why_not and not override:
        raise UserError(why_not, remedy="see `slukh ab report`, or give your reason with --override")
    row = RampRow(
        decided_at=datetime.now(UTC),
        from_percent=now,
        to_percent=to,
        decision=verdict.decision,
        override=override,
        flag_number=0 if path is None else write_share(path, to),
        inputs=verdict.inputs(),
    )
    RollbackFile(given.settings.rollback_path).remove()
    with ExperimentStore(given.settings.experiment_url) as store:
        store.record([row])
    return row


def changed_code(given: AllSettings, verdict: Verdict) -> list[str]:
    """What verdicts are made with and by, where it is another than at the last ramp.

    Raises:
        ExperimentError: the store cannot be read.
    """
    with ExperimentStore(given.settings.experiment_url) as store:
        return code_changes(store.ramps(), verdict.inputs())


def take_back(given: AllSettings, *, to: int) -> int | None:
    """Give Whisper less where no verdict can be had: a way back must not wait for a database.

    Args:
        given: settings.
        to: per cent of the calls.

    Returns: the share before; None, and nothing is changed, where it is not less or in no file.

    Raises:
        SettingsError: the flag file cannot be written.
    """
    path, now = given.flags.slukh_flag_file, flags_in_force(given).flags.share
    if path is None or to >= now:
        return None
    write_share(path, to)
    return now


def _why_not(verdict: Verdict, rolled_back: Rollback | None) -> str:
    """Why a verdict allows no more calls now; empty where it does."""
    if verdict.decision != "PROMOTE":
        return f"the verdict is {verdict.decision}, not PROMOTE ({verdict.reasons[0]})"
    until = verdict.evidence.until
    if datetime.now(UTC) - until > _STANDS:
        return f"the window of this PROMOTE ended on {until:%Y-%m-%d}, and it stands for a day"
    evidence = verdict.evidence
    if evidence.is_chosen and evidence.begins_at is not None:
        return (
            f"the window of this PROMOTE begins at {evidence.since:%Y-%m-%d %H:%M} because somebody chose "
            f"that; leave --since out: it begins at {evidence.begins_at:%Y-%m-%d %H:%M} "
            f"({evidence.begins_why})"
        )
    if rolled_back is not None:
        return f"this PROMOTE stands no more: {rolled_back}"
    return ""


def _is_the_environments(live: LiveFlags, to: int) -> None:
    """Without a flag file a rollback is all that can be changed. Raises SettingsError for anything else."""
    share = live.given.share
    if live.flags.rolled_back is None:
        raise SettingsError(
            "there is no flag file to write the share into",
            remedy="set SLUKH_FLAG_FILE, or restart with "
            + ("FF_WHISPER_KILL=true" if to == 0 else f"FF_WHISPER_ROLLOUT_PERCENT={to}"),
        )
    if to != share:
        raise SettingsError(
            f"there is no flag file to write the share into, and the environment's is {share} %",
            remedy=f"`slukh ab ramp --to {share}` ends the rollback; set SLUKH_FLAG_FILE for another share",
        )
