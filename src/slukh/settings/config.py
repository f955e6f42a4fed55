"""Settings, read once from the environment and passed down as values.

Every setting is one environment variable; `document.py` writes `doc/configuration.md` from them. A
value that cannot be is refused at start, with the ones that can.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slukh.errors import SettingsError
from slukh.routing.flag_values import flags_from_environment
from slukh.routing.flags import PROVIDERS
from slukh.settings.costs import CostSettings
from slukh.settings.guardrails import GuardrailSettings
from slukh.settings.recognisers import GoogleSettings, WhisperSettings
from slukh.settings.recordings import RecordingSettings
from slukh.settings.voices import VoiceSettings
from slukh.stt.language import SUPPORTED

_ENVIRONMENT = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True)

Listed = Annotated[tuple[str, ...], NoDecode]  # comma separated, not JSON
Paths = Annotated[tuple[Path, ...], NoDecode]  # likewise
T = TypeVar("T", bound=BaseSettings)


class FeatureFlagSettings(BaseSettings):
    """Which recogniser hears a call."""

    model_config = _ENVIRONMENT

    ff_stt_provider: str = Field(
        "google",
        description="The recogniser of calls that no other flag takes: `google` or `whisper`.",
    )
    ff_whisper_rollout_percent: str = Field(
        "",
        description="Share of calls, 0 to 100, that Whisper gets while Google is the default; a caller keeps "
        "their side while it grows. With `FF_STT_PROVIDER=whisper` it must be unset.",
    )
    ff_whisper_kill: str = Field("", description="`true`: no new call hears Whisper, whatever else is set.")
    ff_whisper_allow: str = Field(
        "",
        description="Calls that are Whisper's, such as `caller:+380441234567,language:uk-UA,trunk:office`.",
    )
    ff_whisper_deny: str = Field("", description="Calls that are never Whisper's; stronger than the former.")
    ff_shadow_percent: str = Field("", description="Share of calls that the other recogniser hears as well.")
    ff_rollout_salt: str = Field("stt-1", description="Names the draw; another one draws every caller anew.")
    slukh_flag_file: Path | None = Field(
        None,
        description="A JSON file with the flags, in place of all `FF_*`, read again when its content changes",
    )

    @model_validator(mode="after")
    def _are_flags(self) -> Self:
        given = sorted(name.upper() for name in self.model_fields_set if name.startswith("ff_"))
        if self.slukh_flag_file is not None and given:
            raise SettingsError("SLUKH_FLAG_FILE holds all flags", remedy=f"unset {', '.join(given)}")
        flags_from_environment(self.as_environment(), caller_hash=lambda _number: "0" * 16)
        return self

    def as_environment(self) -> dict[str, str]:
        """The flags as variables, those of the command line among them."""
        names = [name for name in type(self).model_fields if name.startswith("ff_")]
        return {name.upper(): getattr(self, name) for name in names}


class Settings(BaseSettings):
    """The gateway: ports, languages, endpointing, limits, files."""

    model_config = _ENVIRONMENT

    slukh_language: str = Field("uk-UA", description="Language of calls that do not say theirs.")
    slukh_alternative_languages: Listed = Field(
        (), description="Further languages that a caller may speak, comma separated; Whisper then chooses."
    )
    slukh_audiosocket_host: str = Field("127.0.0.1", description="Address AudioSocket listens on.")
    slukh_audiosocket_port: int = Field(9092, ge=0, le=65535, description="Its port; 0 takes a free one.")
    slukh_websocket_host: str = Field(
        "127.0.0.1",
        description="Address for Asterisk's chan_websocket. "
        "Other than loopback wants `SLUKH_WEBSOCKET_PASSWORD`.",
    )
    slukh_websocket_port: int | None = Field(
        None, ge=0, le=65535, description="Its port; 0 takes a free one. Unset: no WebSocket."
    )
    slukh_websocket_password: SecretStr | None = Field(
        None, description="Its password for HTTP Basic; the user is `asterisk`."
    )
    slukh_twilio_host: str = Field("127.0.0.1", description="Address for Twilio, behind a proxy with TLS.")
    slukh_twilio_port: int | None = Field(
        None, ge=0, le=65535, description="Its port; 0 takes a free one. Unset: no Twilio."
    )
    slukh_twilio_url: str = Field(
        "",
        description="The stream's URL as TwiML names it, such as `wss://voice.example.com/`: it is signed.",
    )
    slukh_twilio_token: SecretStr | None = Field(
        None,
        description="The account's auth token: a stream that it did not sign is refused.",
    )
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
    slukh_stt_fallback: Listed = Field(
        (),
        description="Who takes over when a call's recogniser fails, comma separated, in this order. Unset: "
        "the other recognisers that the flags give calls to.",
    )
    slukh_audio_to_cloud: bool = Field(
        True, description="`false`: no audio leaves for Google, at a failover neither."
    )
    slukh_whisper_calls: int | None = Field(
        None, ge=1, description="Calls at a time that Whisper takes; the next one goes to a backup."
    )
    slukh_google_calls: int | None = Field(None, ge=1, description="Likewise for Google.")
    slukh_when_down: Literal["continue", "hangup"] | Path = Field(
        "continue",
        description="When every recogniser fails on something a caller said: `continue`, `hangup` (the dial "
        "plan goes on), or the path of a recording that is played to the caller.",
    )
    slukh_hedge_seconds: float = Field(
        3.0,
        gt=0,
        description="Latest moment after our endpoint at which a backup is asked beside a recogniser whose "
        "final is late; sooner where its own finals usually are.",
    )
    slukh_hedge_floor_seconds: float = Field(
        0.8, gt=0, description="And no sooner than this, however quick its finals are."
    )
    slukh_final_seconds: float = Field(
        8.0,
        gt=0,
        le=600,
        description="Longest wait from our endpoint to a final before another Attempt. `slukh doctor` waits "
        "as long for a recogniser, and at least 8 s.",
    )
    slukh_canary_minutes: float = Field(
        60.0, ge=0, description="How often the stored clips measure accuracy; 0: only at start."
    )
    slukh_drain_seconds: float = Field(
        600.0,
        ge=0,
        description="How long SIGTERM waits for running calls; new ones are refused at once. A second one "
        "gives them back to the dial plan.",
    )
    slukh_transcript_minutes: float = Field(
        10.0, ge=0, description="How long a transcript stays in memory after its call."
    )
    slukh_data_dir: Path = Field(
        Path(platformdirs.user_data_dir("slukh")), description="Spool, ledger, caller key."
    )
    slukh_ledger_url: str = Field(
        "",
        description="`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`. "
        "Empty: `ledger.db` in the data folder.",
    )
    slukh_shadow_minutes: float = Field(
        120.0,
        ge=0,
        description="Audio a day (UTC) that shadows (`FF_SHADOW_PERCENT`) may hear; then new calls get none.",
    )
    slukh_experiment_url: str = Field(
        "",
        description="Where the comparison of recognisers is kept, a URL as the ledger's. Empty: with the "
        "ledger in PostgreSQL, else `experiment.db` in the data folder.",
    )
    slukh_grammars: Paths = Field(
        (),
        description="YAML files with words of your own trade, comma separated, for the comparison of texts, "
        "live and in `slukh evaluate`.",
    )
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

    @property
    def experiment_url(self) -> str:
        """SQLAlchemy URL of the experiment's store."""
        beside = self.slukh_ledger_url if self.slukh_ledger_url.startswith("postgresql") else ""
        return self.slukh_experiment_url or beside or f"sqlite:///{self.slukh_data_dir / 'experiment.db'}"

    @property
    def rollback_path(self) -> Path:
        """Where a rollback is kept that no flag file holds."""
        return self.slukh_data_dir / "rollback.json"

    @field_validator(
        "slukh_alternative_languages",
        "slukh_grammars",
        "slukh_phrase_hints",
        "slukh_stt_fallback",
        mode="before",
    )
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
            raise SettingsError(
                f"SLUKH_HTTP_HOST={self.slukh_http_host} is not loopback",
                remedy="set SLUKH_API_TOKEN, or listen on 127.0.0.1",
            )
        return self

    @model_validator(mode="after")
    def _open_websocket_wants_a_password(self) -> Self:
        is_open = self.slukh_websocket_port is not None and not _is_loopback(self.slukh_websocket_host)
        if is_open and self.slukh_websocket_password is None:
            raise SettingsError(
                f"SLUKH_WEBSOCKET_HOST={self.slukh_websocket_host} is not loopback",
                remedy="set SLUKH_WEBSOCKET_PASSWORD, or listen on 127.0.0.1",
            )
        return self

    @model_validator(mode="after")
    def _twilio_wants_a_signature(self) -> Self:
        # On loopback as well: what comes through a proxy comes from there.
        if self.slukh_twilio_port is not None and not (self.slukh_twilio_token and self.slukh_twilio_url):
            raise SettingsError(
                "SLUKH_TWILIO_PORT takes signed streams only",
                remedy="set SLUKH_TWILIO_TOKEN (the account's auth token), SLUKH_TWILIO_URL (your TwiML's)",
            )
        return self

    @model_validator(mode="after")
    def _hedges_between_floor_and_cap(self) -> Self:
        floor, cap = self.slukh_hedge_floor_seconds, self.slukh_hedge_seconds
        if floor > cap:
            raise SettingsError(
                f"SLUKH_HEDGE_FLOOR_SECONDS={floor:g} is later than SLUKH_HEDGE_SECONDS={cap:g}",
                remedy="lower the one, or raise the other",
            )
        return self


GROUPS: tuple[type[BaseSettings], ...] = (
    FeatureFlagSettings, WhisperSettings, GoogleSettings, Settings, VoiceSettings, CostSettings,
    RecordingSettings,
    GuardrailSettings,
)  # fmt: skip


def load(group: type[T], **overrides: object) -> T:
    """A group of settings from the environment; a flag of the command line overrides its variable.

    Raises:
        SettingsError: a value that cannot be, or an unknown variable of ours.
    """
    _refuse_unknown(os.environ)
    try:
        return group(**{k: v for k, v in overrides.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        raise _refusal(error.errors()[0]) from error


class AllSettings(NamedTuple):
    """Every group of settings."""

    flags: FeatureFlagSettings
    whisper: WhisperSettings
    google: GoogleSettings
    settings: Settings
    voice: VoiceSettings
    cost: CostSettings
    recording: RecordingSettings
    guardrails: GuardrailSettings


def load_all(*, provider: str | None = None, language: str | None = None) -> AllSettings:
    """Every group, see `load`.

    Args:
        provider: hears all calls, whatever the flags say; None asks them.
        language: of calls that do not say theirs.
    """
    if provider is None:
        flags = load(FeatureFlagSettings)
    elif provider not in PROVIDERS:
        raise SettingsError(f"unknown provider {provider!r}", remedy=f"allowed: {', '.join(PROVIDERS)}")
    else:
        fixed = {name: field.default for name, field in FeatureFlagSettings.model_fields.items()}
        flags = FeatureFlagSettings.model_construct(**(fixed | {"ff_stt_provider": provider}))
    return AllSettings(
        flags=flags,
        whisper=load(WhisperSettings),
        google=load(GoogleSettings),
        settings=load(Settings, slukh_language=language),
        voice=load(VoiceSettings),
        cost=load(CostSettings),
        recording=load(RecordingSettings),
        guardrails=load(GuardrailSettings),
    )


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
        if name in known or name.startswith(("SLUKH_TEST_", "WHISPER__")):  # faster-whisper-server's
            continue
        if name.startswith(("SLUKH_", "FF_", "GOOGLE_STT_")):
            close = difflib.get_close_matches(name, known, n=1)
        elif name.startswith("WHISPER_"):  # other programs have such too: only what resembles one of ours
            ours = [setting for setting in known if setting.startswith("WHISPER_")]
            if not (close := difflib.get_close_matches(name, ours, n=1, cutoff=0.75)):
                continue
        else:
            continue
        meant = f"did you mean {close[0]}?" if close else "doc/configuration.md lists them"
        raise SettingsError(f"unknown setting {name}", remedy=meant)


def _refusal(error: Mapping[str, Any]) -> SettingsError:
    """A value that cannot be."""
    message = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:  # two settings that do not go together: the message names them
        return SettingsError(message, remedy="doc/configuration.md says what they mean")
    name = str(error["loc"][0]).upper()
    value = "..." if name.endswith(("_KEY", "_PASSWORD", "_TOKEN")) else _without_secrets(error["input"])
    return SettingsError(
        f"{name}={value} refused ({message})",
        remedy="correct it (doc/configuration.md lists what it can be), or unset it for its default",
    )


def _without_secrets(value: object) -> str:
    """A value as it was written, but for what an address keeps between `//` and `@`, or behind a `?`."""
    return re.sub(r"(?<=://)[^/@,]*@", "...@", re.sub(r"\?[^,'\"]*", "?...", repr(value)))
