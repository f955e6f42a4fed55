"""The rules of flags, in their order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.routing.flagged import IN_FIFTY, IN_REST, IN_TEN, OFFICE, ONE_CALLER, RUSSIAN, call, chosen

from slukh.routing.flags import CallList, Flags, Subject, choose_provider, choose_shadow, subject_of
from slukh.types import CallStarted


@pytest.mark.parametrize(
    ("flags", "started", "expected"),
    [
        (Flags(), call(), ("google", "STATIC")),
        (Flags(default_provider="whisper"), call(), ("whisper", "STATIC")),
        (Flags(whisper_percent=100), call(), ("whisper", "STATIC")),
        (Flags(whisper_percent=0), call(IN_TEN), ("google", "STATIC")),
        (Flags(whisper_percent=10), call(IN_TEN), ("whisper", "SPLIT")),
        (Flags(whisper_percent=10), call(IN_FIFTY), ("google", "SPLIT")),
        (Flags(whisper_percent=50), call(IN_FIFTY), ("whisper", "SPLIT")),
        (Flags(allow=OFFICE), call(trunk="office"), ("whisper", "TARGETING_MATCH")),
        (Flags(allow=OFFICE), call(trunk="fax"), ("google", "DEFAULT")),
        (Flags(allow=ONE_CALLER), call(IN_REST), ("whisper", "TARGETING_MATCH")),
        (Flags(allow=ONE_CALLER), call(None), ("google", "DEFAULT")),
        (Flags(allow=OFFICE, whisper_percent=10), call(IN_REST), ("google", "SPLIT")),
        (Flags(deny=RUSSIAN, whisper_percent=100), call(language="ru-RU"), ("google", "TARGETING_MATCH")),
        (Flags(deny=RUSSIAN, whisper_percent=100), call(), ("whisper", "DEFAULT")),
        (
            Flags(deny=RUSSIAN, whisper_percent=10),
            call(IN_TEN, language="ru-RU"),
            ("google", "TARGETING_MATCH"),
        ),
        (
            Flags(deny=RUSSIAN, allow=OFFICE),
            call(trunk="office", language="ru-RU"),
            ("google", "TARGETING_MATCH"),
        ),
        (Flags(deny=OFFICE, default_provider="whisper"), call(trunk="office"), ("google", "TARGETING_MATCH")),
        (Flags(whisper_kill=True, default_provider="whisper"), call(), ("google", "DISABLED")),
        (Flags(whisper_kill=True, allow=OFFICE), call(trunk="office"), ("google", "DISABLED")),
        (Flags(whisper_kill=True, deny=OFFICE), call(trunk="office"), ("google", "DISABLED")),
    ],
)
def test_the_first_rule_that_fits_decides(
    flags: Flags, started: CallStarted, expected: tuple[str, str]
) -> None:
    assert chosen(flags, started) == expected


LISTS = st.sampled_from([CallList(), OFFICE, RUSSIAN, ONE_CALLER])
SUBJECTS = st.builds(
    Subject,
    targeting_key=st.sampled_from([IN_TEN, IN_FIFTY, IN_REST]),
    caller=st.sampled_from([None, IN_TEN, IN_REST]),
    language_code=st.sampled_from(["uk-UA", "ru-RU"]),
    trunk=st.sampled_from([None, "office", "fax"]),
)


@given(
    subject=SUBJECTS,
    allow=LISTS,
    deny=LISTS,
    percents=st.tuples(st.integers(0, 100), st.integers(0, 100)),
)
def test_whoever_had_whisper_keeps_it_when_its_share_grows(
    subject: Subject, allow: CallList, deny: CallList, percents: tuple[int, int]
) -> None:
    low, high = (
        choose_provider(Flags(whisper_percent=share, allow=allow, deny=deny), subject)
        for share in sorted(percents)
    )
    assert high.variant == "whisper" or low.variant == "google"


@given(subject=SUBJECTS, allow=LISTS, deny=LISTS, percent=st.none() | st.integers(0, 100), kill=st.booleans())
def test_no_call_gets_a_provider_that_start_did_not_ask_for(
    subject: Subject, allow: CallList, deny: CallList, percent: int | None, kill: bool
) -> None:
    flags = Flags(whisper_percent=percent, allow=allow, deny=deny, whisper_kill=kill)
    assert choose_provider(flags, subject).variant in flags.providers
    assert not kill or choose_shadow(flags, subject).variant == "off"


def test_a_provider_that_no_call_can_get_need_not_be_there() -> None:
    assert Flags().providers == ("google",)
    assert Flags(default_provider="whisper").providers == ("whisper",)
    assert Flags(whisper_percent=1).providers == ("google", "whisper")
    assert Flags(whisper_percent=100).providers == ("whisper",)
    assert Flags(whisper_percent=100, deny=OFFICE).providers == ("google", "whisper")


def test_the_shadow_is_drawn_apart_from_the_rollout() -> None:
    flags = Flags(whisper_percent=10, shadow_percent=10)
    drawn = [
        (choose_provider(flags, subject).variant == "whisper", choose_shadow(flags, subject).variant == "on")
        for subject in (Subject(targeting_key=f"{n:016x}") for n in range(20_000))
    ]
    assert sum(shadow for _, shadow in drawn) == pytest.approx(2000, abs=4 * 43)
    assert sum(whisper and shadow for whisper, shadow in drawn) == pytest.approx(200, abs=4 * 14.1)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (Flags(), ("off", "STATIC")),
        (Flags(shadow_percent=100), ("on", "STATIC")),
        (Flags(shadow_percent=100, whisper_kill=True), ("off", "DISABLED")),
        (Flags(shadow_percent=100, deny=OFFICE), ("off", "TARGETING_MATCH")),
    ],
)
def test_kill_and_deny_reach_the_shadow_too(flags: Flags, expected: tuple[str, str]) -> None:
    assert choose_shadow(flags, subject_of(call(trunk="office"))) == expected
