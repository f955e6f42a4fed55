"""whisper.cpp's own `POST /inference` (examples/server). Its form and its texts; the rest is http.py.

Segments wrap at 60 characters in the middle of words unless token timestamps are off, language probabilities
cost a second pass of the encoder, and noise is written in brackets. Closing the connection aborts a decode.
"""

import re

from slukh.stt.whisper.decoding import DecodeRequest
from slukh.stt.whisper.http import RestDialect

_FRAME_SECONDS = 0.02  # of the encoder
_NOISE = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪")


def fields(_model: str, language: str, request: DecodeRequest) -> dict[str, str]:
    """What it is asked; it has one model, loaded at its start."""
    form = {
        "language": language,
        "response_format": "verbose_json",
        "temperature": "0",
        "temperature_inc": "0",
        "beam_size": str(request.beam_size),
        "token_timestamps": "false",
        "no_language_probabilities": "true",
        "suppress_nst": "true",
    }
    if request.kind == "interim":  # its 10 s window costs a third of the 30 s that a final gets
        form["audio_ctx"] = str(round(request.window_seconds / _FRAME_SECONDS))
    if request.phrase_hints:
        form["prompt"] = ", ".join(request.phrase_hints)
    return form


def without_noise(text: str) -> str:
    """`[music]`, `(cough)`, `*silence*` and notes taken out."""
    return " ".join(_NOISE.sub(" ", text).split())


WHISPER_CPP = RestDialect(
    path="/inference",
    fields=fields,
    alive_path="/health",
    words={"token_timestamps": "true"},
    clean=without_noise,
)
