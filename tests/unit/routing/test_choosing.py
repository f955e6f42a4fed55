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


def test_a_shadowed_call_is_heard_by_the_other_provider_in_both_directions() -> None:
    for default, other in (("google", "whisper"), ("whisper", "google")):
        chooser = Chooser(lambda arm=default: Flags(default_provider=arm, shadow_percent=100), BackupRules())  # type: ignore[misc]  # a loop's value
        assignment = chooser.assign(CALL)
        chooser.close()
        assert (assignment.arm, assignment.shadow) == (default, other)
        assert assignment.shadow_decision is not None
        assert assignment.shadow_decision.value == "true"


def test_no_shadow_where_it_is_off_killed_or_would_take_audio_to_the_cloud() -> None:
    for flags, cloud in (
        (Flags(), True),
        (Flags(shadow_percent=100, whisper_kill=True), True),
        (Flags(default_provider="whisper", shadow_percent=100), False),
    ):
        chooser = Chooser(lambda flags=flags: flags, BackupRules(audio_to_cloud=cloud))  # type: ignore[misc]  # likewise
        assert chooser.assign(CALL).shadow is None
        chooser.close()


def test_a_shadow_must_be_there_but_is_no_backup() -> None:
    flags = Flags(shadow_percent=10)
    assert BackupRules().providers(flags) == ("google", "whisper")
    assert chain(flags) == ("google",)
