"""Who hears a call, and who takes over."""

import pytest

from slukh.errors import SettingsError
from slukh.routing.choosing import BackupRules, Chooser
from slukh.routing.flags import Flags
from slukh.types import CallStarted

CALL = CallStarted(call_id="c", caller="0123456789abcdef", language_code="uk-UA")


def chain(flags: Flags, **rules: object) -> tuple[str, ...]:
    chooser = Chooser(lambda: flags, BackupRules(**rules))  # type: ignore[arg-type]  # a test's shorthand
    try:
        return chooser.assign(CALL).chain
    finally:
        chooser.close()


def test_the_arms_of_a_rollout_are_each_others_backups() -> None:
    half = Flags(whisper_percent=50)
    assert sorted(chain(half)) == ["google", "whisper"]
    assert chain(Flags()) == ("google",)


def test_backups_come_in_the_order_they_were_named_and_no_provider_twice() -> None:
    assert chain(Flags(), fallback=("google", "whisper")) == ("google", "whisper")


def test_a_killed_whisper_is_nobodys_backup() -> None:
    assert chain(Flags(whisper_kill=True), fallback=("whisper",)) == ("google",)


def test_audio_that_must_not_leave_goes_to_nobody_in_the_cloud() -> None:
    assert chain(Flags(whisper_percent=50), audio_to_cloud=False) == ("whisper",)
    with pytest.raises(SettingsError, match="SLUKH_AUDIO_TO_CLOUD=false forbids google"):
        BackupRules(audio_to_cloud=False).providers(Flags())


def test_a_backup_of_itself_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(SettingsError, match="its own backup"):
        BackupRules(fallback=("google",)).providers(Flags())
    with pytest.raises(SettingsError, match="allowed: google, whisper"):
        BackupRules(fallback=("azure",))


def test_a_decision_is_kept_with_its_assignment() -> None:
    chooser = Chooser(lambda: Flags(default_provider="whisper"), BackupRules())
    assignment = chooser.assign(CALL)
    chooser.close()
    assert assignment.arm == "whisper"
    assert assignment.decision is not None
    assert (assignment.decision.value, assignment.decision.reason) == ("whisper", "STATIC")
