"""Recognisers by name: values in, a provider out. A new recogniser is one function here."""

import os
from importlib import import_module
from pathlib import Path
from typing import Literal

from slukh.errors import SettingsError
from slukh.stt.base import SttProvider
from slukh.stt.whisper.address import addresses
from slukh.stt.whisper.local import LocalDecoder
from slukh.stt.whisper.provider import WhisperProvider
from slukh.stt.whisper.servers import server_at
from slukh.weights import find_whisper


def whisper_servers(
    *,
    api_url: str,
    api_key: str,
    model: str,
    metered: bool | None,
    interims: bool,
    words: bool,
    final_seconds: float,
) -> dict[str, SttProvider]:
    """The Whisper servers of `WHISPER_API_URL`, by `host:port`.

    Args:
        api_url: addresses, comma separated; their schemes say what is spoken there.
        api_key: their key, or empty.
        model: as they name it.
        metered: whether every request is billed; None asks who is known to.
        interims: whether servers that give none are posted to again and again for them.
        words: whether they are asked for word timings.
        final_seconds: how long a final may take.

    Raises:
        SettingsError: an address cannot be one.
    """
    return {
        where.key: server_at(
            where,
            api_key=api_key,
            model=model,
            metered=metered,
            interims=interims,
            words=words,
            final_seconds=final_seconds,
        )
        for where in addresses(api_url)
    }


def local_whisper(
    *,
    model: str,
    weights_dir: Path,
    compute_type: str,
    threads: int,
    workers: int,
    final_seconds: float,
) -> SttProvider:
    """Whisper here, in a child process.

    Args:
        model: size or folder.
        weights_dir: where `slukh weights get` put it.
        compute_type: its arithmetic.
        threads: CPU threads of one decode.
        workers: decodes side by side.
        final_seconds: how long a final may take.

    Raises:
        WeightsError: the model is missing or corrupt.
    """
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


def google(
    *,
    project_id: str,
    location: str,
    model: str,
    endpoint: str,
    stream: Literal["utterance", "call"],
    boost: float,
    words: bool,
    final_seconds: float,
) -> SttProvider:
    """Google Cloud Speech-to-Text v2, or the local Google at `endpoint`.

    Args:
        project_id: the Google Cloud project that pays.
        location: region or multi-region.
        model: such as `chirp_3`.
        endpoint: `host:port` on loopback, or empty for Google's own.
        stream: one for each utterance, or one for the call.
        boost: how strongly phrase hints weigh, 0 to 20.
        words: whether word timings are asked for.
        final_seconds: how long a final may take.

    Raises:
        SettingsError: no project, no such endpoint, or Google's client library is not installed.
    """
    require_google_library()
    from slukh.stt.google import GoogleProvider
    from slukh.stt.google_channel import GoogleLink
    from slukh.stt.google_requests import GoogleModel
    from slukh.stt.google_sharing import SharingRules

    return GoogleProvider(
        GoogleModel(project_id=project_id, location=location, model=model, boost=boost, words=words),
        GoogleLink(endpoint=endpoint),
        # The router gives up first: here a stream only must not stay open for ever.
        final_seconds=final_seconds * 2,
        sharing=SharingRules() if stream == "call" else None,
    )


def require_google_library() -> None:
    """See that Google's client library is there; it is an extra and is imported only when it is wanted.

    Raises:
        SettingsError: it is not.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # else it writes notes of its own between our log lines
    for library in ("grpc", "google.cloud.speech_v2"):
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"Google's client library is not installed (no {library})",
                remedy="pip install 'slukh[google]'",
            ) from error
