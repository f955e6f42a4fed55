"""Settings of what takes Whisper's share back by itself. See `config.py`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class GuardrailSettings(BaseSettings):
    """When Whisper's share of the calls is taken back by itself, to 0 % until a person ramps again."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    slukh_guardrails: bool = Field(True, description="`false`: nothing takes the share back.")
    slukh_guardrail_errors_percent: float = Field(
        10.0, gt=0, lt=100, description="Turns of Whisper's calls on which Whisper may fail."
    )
    slukh_guardrail_timeouts_percent: float = Field(
        5.0, gt=0, lt=100, description="Turns that Whisper, or everybody, may leave without a final in time."
    )
    slukh_guardrail_late_percent: float = Field(
        20.0, gt=0, lt=100, description="Turns whose final may be late."
    )
    slukh_guardrail_late_seconds: float = Field(
        3.0, gt=0, description="From the end of speech to its final, a turn that took longer is late."
    )
    slukh_guardrail_calls: int = Field(5, ge=2, description="On calls of fewer callers nothing is decided.")
    slukh_guardrail_minutes: float = Field(
        120.0, gt=0, description="An older call counts no more, nor one before the newest 200."
    )
    slukh_guardrail_silent_minutes: float = Field(
        10.0, gt=0, description="How long calls of so many of Whisper's callers may report no turn at all."
    )
