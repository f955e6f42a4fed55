"""Flags as OpenFeature tells them."""

from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.hook import Hook
from tests.unit.routing.flagged import IN_REST, IN_TEN, OFFICE, ONE_CALLER, RUSSIAN, call, chosen

from slukh.routing.flag_provider import CallFlags, FlagProvider
from slukh.routing.flags import Flags
from slukh.types import CallStarted, FlagDecision


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
