"""Settings, read once from the environment and passed down as values.

Every setting is one environment variable; `doc/configuration.md` is generated from this file. A value that
cannot be is refused at start, with the ones that can.
"""

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slukh.errors import SettingsError
from slukh.stt.language import SUPPORTED

_ENVIRONMENT = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True)

Listed = Annotated[tuple[str, ...], NoDecode]  # comma separated, not JSON
T = TypeVar("T", bound=BaseSettings)


class FeatureFlagSettings(BaseSettings):
    """Which recogniser hears a call."""

    model_config = _ENVIRONMENT

    ff_stt_provider: Literal["whisper"] = Field(
        "whisper", description="The recogniser of every call. Google joins in a later release."
    )
    ff_whisper_rollout_percent: int | None = Field(
        None,
        ge=0,
        le=100,
        description="Share of calls that Whisper gets while another provider is the default. "
        "With `FF_STT_PROVIDER=whisper` all calls are Whisper's, and it must be unset.",
    )

    @model_validator(mode="after")
    def _percent_needs_another_default(self) -> Self:
        if self.ff_stt_provider == "whisper" and self.ff_whisper_rollout_percent is not None:
            raise ValueError(
                "FF_WHISPER_ROLLOUT_PERCENT must be unset while FF_STT_PROVIDER=whisper gives it all calls"
            )
        return self


class WhisperSettings(BaseSettings):
    """Where Whisper runs, and which one."""

    model_config = _ENVIRONMENT

    whisper_api_url: str = Field(
        "",
        description="An OpenAI-compatible Whisper server, such as `http://10.0.0.5:8000`. "
        "Empty: the local model, in a child process.",
    )
    whisper_api_key: SecretStr | None = Field(None, description="Bearer key of that server.")
    whisper_model_size: str = Field(
        "base",
        description="Local: a size that `slukh weights get` fetched, or a folder with a CTranslate2 "
        "conversion. Server: sent as `model`.",
    )
    slukh_whisper_compute_type: Literal["int8", "int8_float16", "int8_float32", "float16", "float32"] = Field(
        "int8", description="Arithmetic of the local model."
    )
    slukh_whisper_threads: int = Field(1, ge=1, le=64, description="CPU threads of one local decode.")
    slukh_whisper_workers: int = Field(1, ge=1, le=64, description="Local decodes that run side by side.")

    @field_validator("whisper_api_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("must start with http:// or https://")
        return url.rstrip("/")


class Settings(BaseSettings):
    """The gateway: ports, languages, endpointing, limits, files."""

    model_config = _ENVIRONMENT

    slukh_language: str = Field("uk-UA", description="Language of calls that do not say theirs.")
    slukh_alternative_languages: Listed = Field(
        (), description="Further languages that a caller may speak, comma separated; Whisper then chooses."
    )
    slukh_audiosocket_host: str = Field("127.0.0.1", description="Address AudioSocket listens on.")
    slukh_audiosocket_port: int = Field(9092, ge=0, le=65535, description="Its port; 0 takes a free one.")
    slukh_http_host: str = Field(
        "127.0.0.1", description="Address of the HTTP API. Other than loopback wants `SLUKH_API_TOKEN`."
    )
    slukh_http_port: int = Field(8080, ge=0, le=65535, description="Its port; 0 takes a free one.")
    slukh_api_token: SecretStr | None = Field(None, description="Bearer token of `/v1/*`.")
    slukh_require_announced: bool = Field(
        False, description="Refuse calls that were not announced by `POST /v1/calls`."
    )
    slukh_max_calls: int = Field(200, ge=1, description="Calls at a time; the next one is refused.")
    slukh_endpoint_ms: int = Field(500, ge=200, le=3000, description="Silence that ends an utterance.")
    slukh_pre_roll_ms: int = Field(
        250, ge=200, le=300, description="Audio before the voice that belongs to it."
    )
    slukh_phrase_hints: Listed = Field(
        (),
        description="Words to expect, comma separated. They helped synthetic shop sentences and hurt other "
        "Ukrainian, so measure on your own calls first.",
    )
    slukh_final_seconds: float = Field(
        8.0, gt=0, le=600, description="Longest wait from our endpoint to a final before another Attempt."
    )
    slukh_canary_minutes: float = Field(
        60.0, ge=0, description="How often the stored clips measure accuracy; 0: only at start."
    )
    slukh_drain_seconds: float = Field(
        600.0, ge=0, description="How long SIGTERM waits for running calls; new ones are refused at once."
    )
    slukh_transcript_minutes: float = Field(
        10.0, ge=0, description="How long a transcript stays in memory after its call."
    )
    slukh_data_dir: Path = Field(
        Path(platformdirs.user_data_dir("slukh")), description="Spool, ledger, caller key."
    )
    slukh_ledger_url: str = Field("", description="SQLAlchemy URL; empty: `ledger.db` in the data folder.")
    slukh_weights_dir: Path = Field(
        Path(platformdirs.user_cache_dir("slukh")) / "weights", description="Where weights are kept."
    )
    slukh_log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="What callers say is logged at DEBUG only, their digits never."
    )

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.slukh_ledger_url or f"sqlite:///{self.slukh_data_dir / 'ledger.db'}"

    @field_validator("slukh_alternative_languages", "slukh_phrase_hints", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value

    @field_validator("slukh_language")
    @classmethod
    def _known(cls, code: str) -> str:
        return _language(code)

    @field_validator("slukh_alternative_languages")
    @classmethod
    def _all_known(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_language(code) for code in codes)

    @model_validator(mode="after")
    def _open_api_wants_a_token(self) -> Self:
        if self.slukh_api_token is None and not _is_loopback(self.slukh_http_host):
            raise ValueError(
                f"SLUKH_HTTP_HOST={self.slukh_http_host} is not loopback: set SLUKH_API_TOKEN, "
                "or listen on 127.0.0.1"
            )
        return self


GROUPS: tuple[type[BaseSettings], ...] = (FeatureFlagSettings, WhisperSettings, Settings)


def load(group: type[T], **overrides: object) -> T:
    """A group of settings from the environment; a flag of the command line overrides its variable.

    Raises:
        SettingsError: a value that cannot be, or an unknown `SLUKH_` variable.
    """
    _refuse_unknown(os.environ)
    try:
        return group(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise SettingsError(_sentence(error.errors()[0]), remedy="see `slukh doctor`") from error


def _language(code: str) -> str:
    if code not in SUPPORTED:
        raise ValueError(f"unknown language {code!r}; allowed: {', '.join(sorted(SUPPORTED))}")
    return code


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    """A misspelt setting would be silently at its default."""
    known = {name.upper() for group in GROUPS for name in group.model_fields}
    for name in environ:
        if name.startswith(("SLUKH_", "FF_")) and not name.startswith("SLUKH_TEST_") and name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"did you mean {close[0]}?" if close else "doc/configuration.md lists them"
            raise SettingsError(f"unknown setting {name}", remedy=meant)


def _sentence(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        return message
    name = str(error["loc"][0]).upper()
    value = "..." if name.endswith(("_KEY", "_TOKEN")) else repr(error["input"])
    return f"{name}={value} refused ({message})"


def reference() -> str:
    """doc/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "Every setting is an environment variable; `slukh doctor` checks the ones in force.",
    ]
    for group in GROUPS:
        title = (group.__doc__ or "").splitlines()[0]
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "|---|---|---|"]
        for name, field in group.model_fields.items():
            default = {
                "slukh_data_dir": "user's data folder",
                "slukh_weights_dir": "user's cache folder",
            }.get(name, _shown(field.default))
            lines.append(f"| `{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    if value is None or value in ("", ()):
        return "unset"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
