"""Settings of what is kept of callers' speech, for people who label. See `config.py`."""

from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from slukh.errors import SettingsError

_KEY_BYTES = 32
_MAKE_A_KEY = "python3 -c 'import secrets; print(secrets.token_hex(32))'"


class RecordingSettings(BaseSettings):
    """What is kept of callers' speech: nothing, unless it is set here."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    slukh_recording_days: int = Field(
        0,
        ge=0,
        le=3650,
        description="Days that audio and texts of shadowed utterances are kept for labels, encrypted, where "
        "the recognisers differ; 0 keeps none.",
    )
    slukh_recording_key: SecretStr | None = Field(
        None,
        description=f"Their key, 64 hex digits: `{_MAKE_A_KEY}`. Without it nobody reads them, you neither.",
    )

    @property
    def key(self) -> bytes | None:
        """The key, 32 bytes."""
        key = self.slukh_recording_key
        return None if key is None else bytes.fromhex(key.get_secret_value())

    @property
    def days(self) -> int | None:
        """How long something is kept; None keeps nothing."""
        return self.slukh_recording_days or None

    @field_validator("slukh_recording_key")
    @classmethod
    def _is_a_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            try:
                is_whole = len(bytes.fromhex(key.get_secret_value())) == _KEY_BYTES
            except ValueError:
                is_whole = False
            if not is_whole:
                raise ValueError(f"64 hex digits are wanted; this makes some: {_MAKE_A_KEY}")
        return key

    @model_validator(mode="after")
    def _recordings_want_a_key(self) -> Self:
        if self.slukh_recording_days and self.slukh_recording_key is None:
            raise SettingsError(
                f"SLUKH_RECORDING_DAYS={self.slukh_recording_days} keeps what callers say, and there is no "
                "key for it",
                remedy=f"set SLUKH_RECORDING_KEY to what this prints, and keep it: {_MAKE_A_KEY}",
            )
        return self
