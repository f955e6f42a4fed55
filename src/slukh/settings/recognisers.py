"""Settings of the recognisers: which Whisper and where, whose Google. See `config.py`."""

from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from slukh.errors import SettingsError
from slukh.stt.whisper.address import addresses

_ENVIRONMENT = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True)


class WhisperSettings(BaseSettings):
    """Where Whisper runs, and which one."""

    model_config = _ENVIRONMENT

    whisper_api_url: str = Field(
        "",
        description="A Whisper server, such as `http://10.0.0.5:8000`, or several, comma separated. Before "
        "`http`, `ws` or `tcp` may stand `whisper.cpp+`, `whisperlive+`, `deepgram+`, `whisperlivekit+`, "
        "`realtime+` or `wyoming+`; see whisper-servers.md. Empty: the local model, in a child process.",
    )
    whisper_api_key: SecretStr | None = Field(None, description="Key of that server.")
    whisper_model_size: str = Field(
        "base",
        description="Local: a size that `slukh weights get` fetched, or a folder with a CTranslate2 "
        "conversion. Server: sent as `model`.",
    )
    slukh_whisper_compute_type: Literal["int8", "int8_float16", "int8_float32", "float16", "float32"] = Field(
        "int8", description="Arithmetic of the local model."
    )
    slukh_whisper_threads: int = Field(1, ge=1, le=64, description="CPU threads of one local decode.")
    slukh_whisper_workers: int = Field(
        2, ge=1, le=64, description="Local decodes that run side by side; of several, one is kept for finals."
    )

    slukh_whisper_metered: bool | None = Field(
        None,
        description="Whether the server bills each request: then it is asked once per utterance, and gives "
        "no interims by being asked again. Unset: OpenAI, Groq and Deepgram do.",
    )
    slukh_whisper_interims: bool = Field(
        True,
        description="Ask a server that gives no interims again and again while the caller speaks, as long as "
        "it is quick and nobody waits there.",
    )
    slukh_whisper_words: bool = Field(
        False,
        description="Ask the server for word timings, which cost it time. Those that come unasked are told "
        "anyway; the local model has none.",
    )

    @field_validator("whisper_api_url")
    @classmethod
    def _are_servers(cls, urls: str) -> str:
        try:
            addresses(urls)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return urls

    @model_validator(mode="after")
    def _are_paid_as_one(self) -> Self:
        if len(names := self._payees()) > 1:
            raise SettingsError(
                f"the servers of WHISPER_API_URL are paid apart ({', '.join(sorted(names))})",
                remedy="name those of one owner",
            )
        return self

    @property
    def payee(self) -> str:
        """Who is paid for what Whisper hears, as price books name it; `whisper` is one's own machine."""
        return next(iter(self._payees()), "whisper")

    def _payees(self) -> set[str]:
        metered = bool(self.slukh_whisper_metered)
        return {one.payee(metered=metered) for one in addresses(self.whisper_api_url)}


class GoogleSettings(BaseSettings):
    """Google Cloud Speech-to-Text: whose project, where, which model."""

    model_config = _ENVIRONMENT

    google_stt_project_id: str = Field(
        "",
        description="The Google Cloud project that pays. Credentials are the application's default ones: "
        "`GOOGLE_APPLICATION_CREDENTIALS`, or `gcloud auth application-default login`.",
    )
    google_stt_location: str = Field(
        "eu",
        pattern="^[a-z0-9-]+$",
        description="Region or multi-region. Calls with alternative languages need `global`, `us` or `eu`.",
    )
    google_stt_model: str = Field(
        "chirp_3", min_length=1, description="Which languages a model takes depends on the location."
    )
    google_stt_endpoint: str = Field(
        "",
        description="`host:port` of a local Google on loopback, in clear and without credentials. "
        "Empty: Google's own.",
    )
    google_stt_stream: Literal["utterance", "call"] = Field(
        "utterance",
        description="`utterance`: a stream for each, half-closed at our endpoint. `call`: one for the call, "
        "finalised by Google's own endpointing.",
    )
    google_stt_boost: float = Field(
        0.0,
        ge=0,
        le=20,
        description="How much likelier than usual `SLUKH_PHRASE_HINTS` are to be heard.",
    )
    google_stt_words: bool = Field(
        False,
        description="Ask for word timings. Some models then answer nothing at all: see `slukh doctor` first.",
    )

    @property
    def is_configured(self) -> bool:
        """Whether anybody means to use it."""
        return bool(self.google_stt_project_id or self.google_stt_endpoint)
