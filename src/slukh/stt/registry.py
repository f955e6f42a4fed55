"""Recognisers by name: values in, a provider out. A new recogniser is one function here."""

from pathlib import Path

from slukh.stt.base import SttProvider
from slukh.stt.whisper.decoding import Decoder
from slukh.stt.whisper.http import HttpDecoder
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.weights import find_whisper


def whisper(
    *,
    api_url: str,
    api_key: str,
    model: str,
    weights_dir: Path,
    compute_type: str,
    threads: int,
    workers: int,
    final_seconds: float,
) -> SttProvider:
    """Whisper: on the server at `api_url`, or here in a child process when that is empty.

    Args:
        api_url: an OpenAI-compatible server, or empty.
        api_key: its bearer key, or empty.
        model: size or folder of the local model; sent to a server as it is.
        weights_dir: where `slukh weights get` put the local model.
        compute_type: arithmetic of the local model.
        threads: CPU threads of one local decode.
        workers: local decodes side by side.
        final_seconds: how long a final may take.

    Raises:
        WeightsError: the local model is missing or corrupt.
        SettingsError: the address cannot be one.
    """
    decoder: Decoder
    if api_url:
        decoder = HttpDecoder(api_url, api_key=api_key, model=model, total_seconds=final_seconds)
    else:
        decoder = LocalDecoder(
            find_whisper(weights_dir, model),
            compute_type=compute_type,
            threads=threads,
            workers=workers,
            # The router gives up first: here a request only must not wait for ever.
            decode_seconds=final_seconds * 2,
            request_seconds=final_seconds * 2,
        )
    return WhisperProvider(decoder, model=model)
