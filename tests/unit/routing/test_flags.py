"""Flags: the rules in their order, what is refused, the file that changes under us, OpenFeature."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.hook import Hook

from slukh.errors import SettingsError
from slukh.routing.flag_file import FlagFile
from slukh.routing.flag_provider import CallFlags, FlagProvider
from slukh.routing.flag_values import flags_from_environment, flags_from_json
from slukh.routing.flags import CallList, Choice, Flags, Subject, choose_provider, choose_shadow, subject_of
from slukh.routing.rollout import bucket
from slukh.types import CallStarted, FlagDecision


def caller_hash(number: str) -> str | None:
    digits = "".join(c for c in number if c.isdigit())
    return hashlib.sha256(digits.encode()).hexdigest()[:16] if digits else None


def caller_in_bucket(low: int, high: int, salt: str = "stt-1") -> str:
    """A caller's hash that is drawn between two buckets."""
    return next(key for n in range(10**6) if low <= bucket(salt, key := f"{n:016x}") < high)


IN_TEN = caller_in_bucket(0, 1000)
IN_FIFTY = caller_in_bucket(1000, 5000)
IN_REST = caller_in_bucket(5000, 10_000)


def call(caller: str | None = IN_REST, *, language: str = "uk-UA", trunk: str | None = None) -> CallStarted:
    return CallStarted(
        call_id="11111111-2222-4333-8444-555555555555", caller=caller, language_code=language, trunk=trunk
    )


def chosen(flags: Flags, started: CallStarted) -> Choice:
    return choose_provider(flags, subject_of(started))


def environment(**values: str) -> Flags:
    return flags_from_environment(values, caller_hash=caller_hash)


def document(**values: object) -> bytes:
    return json.dumps({"version": 1} | values).encode()


def from_json(**values: object) -> Flags:
    return flags_from_json(document(**values), caller_hash=caller_hash)


OFFICE = CallList(trunks=frozenset({"office"}))
RUSSIAN = CallList(languages=frozenset({"ru-RU"}))
ONE_CALLER = CallList(callers=frozenset({IN_REST}))


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flags.json"
    path.write_bytes(document(version=5, weights={"google": 90, "whisper": 10}))
    return path


def test_a_file_is_read_again_when_its_content_changed(path: Path) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    assert file.flags.whisper_percent == 10
    assert not file.reload()
    path.write_bytes(document(version=6, weights={"google": 50, "whisper": 50}))
    assert file.reload()
    assert file.flags.whisper_percent == 50
    assert not file.reload()


def test_a_change_that_keeps_the_time_of_the_file_is_seen(path: Path) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    before = path.stat()
    path.write_bytes(document(version=6, weights={"google": 95, "whisper": 5}))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.reload()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (document(version=6)[:-3], "not whole JSON"),
        (b"", "not whole JSON"),
        (document(version=6, weights={"google": 90, "whisper": 90}), "add up to 180"),
        (document(version=4, weights={"google": 50, "whisper": 50}), "version 4 is older than 5"),
        (b" " * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
)
def test_the_last_good_values_stay_when_a_file_goes_bad(path: Path, bad: bytes, said: str) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    good = file.flags
    path.write_bytes(bad)
    assert not file.reload()
    assert not file.reload()
    assert file.flags is good
    assert said in (file.last_error or "")
    assert file.refusals == 1


def test_a_mended_file_clears_the_error_be_it_new_or_the_old_one(path: Path) -> None:
    good = path.read_bytes()
    file = FlagFile(path, caller_hash=caller_hash)
    path.write_bytes(b"{")
    file.reload()
    path.write_bytes(good)
    assert not file.reload()  # the same values as before
    assert file.last_error is None
    path.write_bytes(b"{")
    file.reload()
    path.write_bytes(document(version=6))
    assert file.reload()
    assert (file.last_error, file.refusals) == (None, 2)


def test_a_file_that_vanished_leaves_its_values(path: Path) -> None:
    file = FlagFile(path, caller_hash=caller_hash)
    path.unlink()
    assert not file.reload()
    assert file.flags.whisper_percent == 10
    assert "cannot be read" in (file.last_error or "")


def test_a_bad_file_at_start_is_refused(path: Path) -> None:
    path.write_bytes(b'{"version":')
    with pytest.raises(SettingsError, match=r"flags\.json: the flags are not whole JSON"):
        FlagFile(path, caller_hash=caller_hash)
    path.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        FlagFile(path, caller_hash=caller_hash)


@pytest.fixture
def in_force() -> Iterator[tuple[list[Flags], CallFlags]]:
    values = [Flags(whisper_percent=10)]
    flags = CallFlags(lambda: values[0])
    yield values, flags
    flags.close()


def test_a_decision_says_what_and_why_and_by_which_version(in_force: tuple[list[Flags], CallFlags]) -> None:
    values, flags = in_force
    assert flags.decide(call(IN_TEN)) == FlagDecision(
        flag_key="stt_provider", value="whisper", variant="whisper", reason="SPLIT", version=values[0].version
    )
    values[0] = Flags(whisper_kill=True)
    assert flags.decide(call(IN_TEN)) == FlagDecision(
        flag_key="stt_provider",
        value="google",
        variant="google",
        reason="DISABLED",
        version=values[0].version,
    )
    assert flags.decide_shadow(call()) == FlagDecision(
        flag_key="stt_shadow", value="false", variant="off", reason="DISABLED", version=values[0].version
    )


@pytest.mark.parametrize("started", [call(), call(None, trunk="office"), call(IN_TEN, language="ru-RU")])
@pytest.mark.parametrize(
    "flags",
    [
        Flags(),
        Flags(whisper_percent=10),
        Flags(whisper_percent=50, deny=RUSSIAN, allow=OFFICE),
        Flags(allow=ONE_CALLER),
    ],
)
def test_openfeature_changes_nothing_of_what_the_rules_say(flags: Flags, started: CallStarted) -> None:
    asked = CallFlags(lambda: flags)
    decision = asked.decide(started)
    asked.close()
    assert (decision.variant, decision.reason) == chosen(flags, started)


def test_two_programs_in_one_process_do_not_answer_for_each_other() -> None:
    whisper, google = Flags(default_provider="whisper"), Flags()
    one, two = CallFlags(lambda: whisper), CallFlags(lambda: google)
    assert (one.decide(call()).value, two.decide(call()).value) == ("whisper", "google")
    one.close()
    assert two.decide(call()).value == "google"
    assert api.get_client().get_string_value("stt_provider", "untouched") == "untouched"
    two.close()


def test_the_targeting_key_is_the_callers_not_the_programs(in_force: tuple[list[Flags], CallFlags]) -> None:
    _, flags = in_force
    api.set_evaluation_context(EvaluationContext(targeting_key=IN_TEN, attributes={"trunk": "office"}))
    try:
        assert flags.decide(call(IN_REST)).value == "google"
    finally:
        api.set_evaluation_context(EvaluationContext())


class FailingHook(Hook):
    def before(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("somebody's hook")


@pytest.mark.parametrize(
    ("values", "safe"),
    [
        (Flags(), "google"),
        (Flags(default_provider="whisper"), "whisper"),
        (Flags(default_provider="whisper", whisper_kill=True), "google"),
    ],
)
def test_a_hook_that_fails_leaves_the_safe_provider(values: Flags, safe: str) -> None:
    flags = CallFlags(lambda: values)
    api.add_hooks([FailingHook()])
    try:
        decision = flags.decide(call())
    finally:
        api.clear_hooks()
        flags.close()
    assert decision == FlagDecision(
        flag_key="stt_provider", value=safe, variant=safe, reason="ERROR", version=values.version
    )


@pytest.mark.parametrize("context", [None, EvaluationContext(), EvaluationContext(targeting_key="")])
def test_without_a_targeting_key_there_is_an_error_and_no_silent_default(
    context: EvaluationContext | None,
) -> None:
    api.set_provider_and_wait(FlagProvider(lambda: Flags(default_provider="whisper")), "test-key")
    details = api.get_client("test-key").get_string_details("stt_provider", "neither", context)
    assert (details.value, details.error_code) == ("neither", ErrorCode.TARGETING_KEY_MISSING)


def test_other_flags_and_other_types_are_errors_in_openfeatures_terms() -> None:
    api.set_provider_and_wait(FlagProvider(Flags), "test-types")
    client = api.get_client("test-types")
    context = EvaluationContext(targeting_key="x")
    assert client.get_string_details("stt_voice", "", context).error_code == ErrorCode.FLAG_NOT_FOUND
    assert client.get_boolean_details("stt_provider", False, context).error_code == ErrorCode.TYPE_MISMATCH
    assert client.get_integer_details("stt_provider", 1, context).error_code == ErrorCode.TYPE_MISMATCH
    assert client.get_float_details("stt_shadow", 1.0, context).error_code == ErrorCode.TYPE_MISMATCH
    assert client.get_object_details("stt_shadow", {}, context).error_code == ErrorCode.TYPE_MISMATCH
    assert client.get_boolean_details("stt_shadow", True, context).value is False
