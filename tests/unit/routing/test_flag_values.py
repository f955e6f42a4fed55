"""Flags from the environment or a document, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.routing.flagged import caller_hash, document, environment, from_json

from slukh.errors import SettingsError
from slukh.routing.flag_values import flags_from_json
from slukh.routing.flags import CallList, Flags


def test_the_version_is_that_of_the_values_wherever_they_came_from() -> None:
    ten = from_json(weights={"google": 90, "whisper": 10}).version
    assert ten.partition("-")[2] == environment(FF_WHISPER_ROLLOUT_PERCENT="10").version.partition("-")[2]
    assert ten != from_json(weights={"google": 89, "whisper": 11}).version
    assert ten == from_json(weights={"whisper": 10, "google": 90}, allow={}).version
    assert ten.startswith("1-")


def test_an_empty_environment_is_google_for_all() -> None:
    assert environment() == Flags() == environment(FF_STT_PROVIDER="", FF_SHADOW_PERCENT=" ")


def test_the_environment_says_it_all() -> None:
    flags = environment(
        FF_STT_PROVIDER="google",
        FF_WHISPER_ROLLOUT_PERCENT="10",
        FF_WHISPER_KILL="TRUE",
        FF_SHADOW_PERCENT="3",
        FF_WHISPER_ALLOW="caller:+380 (44) 123-45-67, language:uk, trunk:office",
        FF_WHISPER_DENY="caller:00112233aabbccdd,",
        FF_ROLLOUT_SALT="2026-Q3",
    )
    assert flags == Flags(
        whisper_percent=10,
        whisper_kill=True,
        shadow_percent=3,
        allow=CallList(
            callers=frozenset({caller_hash("380441234567") or ""}),
            languages=frozenset({"uk-UA"}),
            trunks=frozenset({"office"}),
        ),
        deny=CallList(callers=frozenset({"00112233aabbccdd"})),
        salt="2026-Q3",
    )
    assert "1234567" not in repr(flags)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"FF_WHISPER_ROLLOUT_PERCENT": "101"}, "FF_WHISPER_ROLLOUT_PERCENT='101' refused: .*0 to 100"),
        ({"FF_WHISPER_ROLLOUT_PERCENT": "ten"}, "FF_WHISPER_ROLLOUT_PERCENT='ten' refused"),
        ({"FF_WHISPER_ROLLOUT_PERCENT": "-1"}, "FF_WHISPER_ROLLOUT_PERCENT"),
        ({"FF_WHISPER_ROLLOUT_PERCENT": "1.5"}, "FF_WHISPER_ROLLOUT_PERCENT"),
        ({"FF_WHISPER_ROLLOUT_PERCENT": "١"}, "FF_WHISPER_ROLLOUT_PERCENT"),
        ({"FF_SHADOW_PERCENT": "200"}, "FF_SHADOW_PERCENT"),
        ({"FF_STT_PROVIDER": "whisper", "FF_WHISPER_ROLLOUT_PERCENT": "50"}, "unset the rollout"),
        ({"FF_STT_PROVIDER": "whisper", "FF_WHISPER_ROLLOUT_PERCENT": "0"}, "unset the rollout"),
        ({"FF_STT_PROVIDER": "azure"}, "FF_STT_PROVIDER: unknown provider 'azure': allowed: google"),
        ({"FF_WHISPER_KILL": "maybe"}, "FF_WHISPER_KILL='maybe' refused"),
        ({"FF_WHISPER_ALLOW": "office"}, "list entry 'office' refused: allowed: caller:"),
        ({"FF_WHISPER_ALLOW": "trunk:"}, "list entry 'trunk:' refused"),
        ({"FF_WHISPER_DENY": "language:klingon"}, "klingon"),
        ({"FF_WHISPER_DENY": "caller:everybody"}, "neither a number nor its hash"),
        ({"FF_WHISPER_DENY": "caller:1234567890123456x"}, "neither a number nor its hash"),
        ({"FF_ROLLOUT_SALT": "a:b"}, "salt 'a:b' refused"),
    ],
)
def test_an_environment_that_cannot_be_is_refused(values: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        environment(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"weights": {"google": 90, "whisper": 20}}, "weights add up to 110: make it 100"),
        ({"weights": {"whisper": 10}}, "weights add up to 10"),
        ({"weights": {"google": 110, "whisper": -10}}, "weight of google is 110"),
        ({"weights": {"google": 99.5, "whisper": 0.5}}, "weight of google is 99.5"),
        ({"weights": {"google": True, "whisper": 99}}, "weight of google is True"),
        (
            {"weights": {"google": 90, "azure": 10}},
            "unknown key 'azure' in weights: allowed: google, whisper",
        ),
        ({"weights": 10}, "weights is int: a JSON object"),
        ({"stt_provider": "whisper", "weights": {"whisper": 100}}, "unset the rollout"),
        ({"stt_provider": "azure"}, "unknown provider 'azure': allowed"),
        ({"stt_provider": ["google"]}, "unknown provider"),
        ({"shadow_percent": "3"}, "the shadow's share is '3'"),
        ({"shadow_percent": True}, "the shadow's share is True"),
        ({"whisper_kill": "no"}, "whisper_kill 'no' refused"),
        ({"whisper_kil": True}, "unknown key 'whisper_kil' in the flag file: allowed: version, stt_provider"),
        ({"allow": ["office"]}, "allow is list"),
        ({"allow": {"trunk": ["office"]}}, "unknown key 'trunk' in allow: allowed: callers"),
        ({"deny": {"trunks": "office"}}, "deny.trunks refused"),
        ({"deny": {"callers": [380441234567]}}, "deny.callers refused"),
        ({"salt": 5}, "salt 5 refused"),
        ({"salt": "\ud800"}, "salt .* refused"),
        ({"version": 0}, "flag version 0 refused"),
        ({"version": "2"}, "flag version '2' refused"),
        ({"version": None}, "flag version None refused"),
    ],
)
def test_a_document_that_cannot_be_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        from_json(**values)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"version": 1, "version": 2}', b"\xff", b"[" * 100_000, b"{}"]
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(SettingsError):
        flags_from_json(data, caller_hash=caller_hash)


WHOLE = document(
    weights={"google": 90, "whisper": 10}, allow={"callers": ["+380441234567"], "trunks": ["office"]}
)


@given(length=st.integers(0, len(WHOLE) - 1))
def test_half_a_document_is_refused_wherever_it_ends(length: int) -> None:
    with pytest.raises(SettingsError):
        flags_from_json(WHOLE[:length], caller_hash=caller_hash)


@given(data=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_whatever_stands_behind_a_key_is_a_clear_error_or_flags(data: object) -> None:
    for key in ("version", "stt_provider", "weights", "whisper_kill", "shadow_percent", "allow", "salt"):
        try:
            flags_from_json(document(**{key: data}), caller_hash=caller_hash)
        except SettingsError as error:
            assert error.remedy  # noqa: PT017  # both ways are right, a third one is not


def test_a_refused_caller_is_not_repeated_in_the_error() -> None:
    with pytest.raises(SettingsError) as refusal:
        from_json(deny={"callers": ["+38044123456789012345"]})
    assert "123456789" not in str(refusal.value)
