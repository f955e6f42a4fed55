"""Settings of the voice back: who answers, who speaks, and where phrases are kept. See `config.py`."""

from pathlib import Path
from typing import Annotated, Self

import platformdirs
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

TTS_PROVIDERS = ("google", "piper", "espeak", "rhvoice", "recorded")

Listed = Annotated[tuple[str, ...], NoDecode]  # comma separated, not JSON
Pairs = Annotated[dict[str, str], NoDecode]  # key=value, comma separated


class VoiceSettings(BaseSettings):
    """The voice back: who answers, who speaks. Unset, callers are heard and not answered."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, validate_default=True
    )

    slukh_dialog: str = Field(
        "",
        description="Who answers callers: a script (the path of a YAML file, such as "
        "`examples/dialog/tyre-shop.yaml`) or `claude`. Unset: nobody, callers are only heard.",
    )
    slukh_tts: Listed = Field(
        ("espeak",),
        description=f"Voices in the order they are asked, of {', '.join(TTS_PROVIDERS)}, comma separated.",
    )
    slukh_tts_rate: float = Field(1.0, ge=0.5, le=2.0, description="Pace of the voices; 1.0 is their own.")
    slukh_tts_recordings: Path | None = Field(
        None, description="`recorded`: a folder with a folder of `NAME.wav` and `NAME.txt` per language."
    )
    slukh_tts_google_voices: Pairs = Field(
        {"uk-UA": "uk-UA-Chirp3-HD-Kore", "ru-RU": "ru-RU-Chirp3-HD-Kore"},
        description="`google`: language=voice, comma separated. Chirp 3: HD voices are streamed.",
    )
    slukh_tts_google_endpoint: str = Field(
        "",
        pattern=r"^$|^(127\.0\.0\.1|localhost|\[::1\]):\d+$",
        description="`host:port` of a local Google on loopback. Empty: Google's own.",
    )
    slukh_piper_voices: Pairs = Field(
        {}, description="`piper`: language=voice file (`.onnx`, its `.json` beside it), comma separated."
    )
    slukh_rhvoice_voices: Pairs = Field(
        {"uk-UA": "natalia", "ru-RU": "aleksandr"}, description="`rhvoice`: language=voice, comma separated."
    )
    slukh_phrase_cache: str = Field(
        "disk",
        description="Where phrases are kept behind the memory: `disk`, `memory` (nowhere), or `redis://HOST`.",
    )
    slukh_phrase_cache_dir: Path = Field(
        Path(platformdirs.user_cache_dir("slukh")) / "phrases", description="The folder for `disk`."
    )
    slukh_phrase_cache_mb: int = Field(
        500,
        ge=1,
        description="Largest size of that folder; a minute of speech is 1 MB. Memory: a tenth of it.",
    )
    slukh_phrase_cache_days: float = Field(
        90.0, gt=0, description="After so many days a phrase is made again."
    )
    slukh_phrases: Path | None = Field(
        None, description="Phrases to have ready before the first call: a file, a language and a text a line."
    )
    slukh_templates: Path | None = Field(
        None,
        description="Sentences that `slukh phrases learn` proposed: those with `spoken: yes` are kept up to "
        "their first number, and the rest is made anew.",
    )
    slukh_barge_in: bool = Field(True, description="A caller who speaks stops our voice.")
    slukh_silence_seconds: float = Field(
        8.0, ge=2, description="Of nobody speaking until the caller is asked whether they are there."
    )
    slukh_talk_seconds: float = Field(
        900.0, ge=10, description="Longest call; then it ends with a sentence and the dial plan goes on."
    )
    slukh_claude_model: str = Field("claude-haiku-4-5", description="`claude`: the model.")
    slukh_claude_prompt: Path | None = Field(
        None, description="`claude`: a text file that says who it is and what it does."
    )
    slukh_claude_tools: Path | None = Field(
        None, description="`claude`: a Python file with functions it may call, in a list `TOOLS`."
    )
    slukh_claude_key: SecretStr | None = Field(
        None, description="`claude`: its key; unset: `ANTHROPIC_API_KEY`, as its client reads it."
    )
    slukh_claude_url: str = Field("", description="`claude`: another address of its API.")

    @field_validator("slukh_tts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(v.strip() for v in value.split(",") if v.strip()) if isinstance(value, str) else value

    @field_validator("slukh_tts")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in TTS_PROVIDERS:
                raise ValueError(f"no voice {name!r}; there are: {', '.join(TTS_PROVIDERS)}")
        if not names:
            raise ValueError(f"no voice; there are: {', '.join(TTS_PROVIDERS)}")
        return names

    @field_validator("slukh_tts_google_voices", "slukh_piper_voices", "slukh_rhvoice_voices", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if any(not key or not own for key, _, own in pairs):
            raise ValueError("write language=voice, comma separated")
        return {key.strip(): own.strip() for key, _, own in pairs}

    @model_validator(mode="after")
    def _recordings_are_named(self) -> Self:
        if "recorded" in self.slukh_tts and self.slukh_tts_recordings is None:
            raise ValueError("SLUKH_TTS has recorded: set SLUKH_TTS_RECORDINGS to the folder of the pack")
        return self
