"""The Whisper child: a model behind a pipe, so that its crash is a failed Attempt, not a dead gateway.

Started as `python -m slukh.stt.whisper.worker MODEL_FOLDER ...` by child.py. Reads requests from stdin and
writes answers to what was stdout, framed as framing.py says; fd 1 itself becomes stderr, so that a library
that prints cannot corrupt the protocol. It never downloads, and ignores SIGINT and SIGTERM: a terminal and
systemd send them to every process of the gateway, whose calls want their finals while they drain. It dies at
once when stdin closes, in the middle of a decode too, because then nobody is left to hear the answer.

    in   {"id": 7, "languages": {"uk": 0.8, "ru": 0.2}, "beam_size": 5, ...} + PCM
    out  {"ready": {"multilingual": true}}  or  {"refused": "why the model cannot be loaded"}
         {"refused": "...", "compute_types": [...]}  where only the arithmetic is at fault
    out  {"id": 7, "text": "...", ...}      or  {"id": 7, "failed": "...", "request": true}
"""

import argparse
import os
import signal
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Protocol

from slukh.stt.whisper.framing import LENGTH, frame, header_length, parse_header
from slukh.stt.whisper.model import ComputeTypeError, RequestRefusedError, WhisperModel


class Model(Protocol):
    """What decodes in a child; may be called from several threads."""

    is_multilingual: bool

    def decode(self, asked: Mapping[str, Any], pcm: bytes) -> dict[str, Any]:
        """One request, as child.py writes it, to the answer it reads."""


class LoadModel(Protocol):
    """Makes the model of a folder."""

    def __call__(self, folder: str, *, compute_type: str, threads: int, workers: int) -> Model:
        """Load it."""


def main(load: LoadModel = WhisperModel) -> None:
    """Run until stdin closes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    arguments = _arguments()
    requests, answers = _private_pipes()
    writing = threading.Lock()

    def answer(header: dict[str, Any]) -> None:
        with writing:
            answers.write(frame(header))
            answers.flush()

    try:
        model = load(
            arguments.model,
            compute_type=arguments.compute_type,
            threads=arguments.threads,
            workers=arguments.workers,
        )
    except ComputeTypeError as error:
        answer({"refused": str(error), "compute_types": error.supported})
        return
    except Exception as error:  # noqa: BLE001  # whatever it is, the gateway must learn it in words
        answer({"refused": f"{type(error).__name__}: {error}"})
        return
    answer({"ready": {"multilingual": model.is_multilingual}})

    def serve(header: dict[str, Any], pcm: bytes) -> None:
        try:
            answer({"id": header["id"], **model.decode(header, pcm)})
        except Exception as error:  # noqa: BLE001  # one bad request must not take the model from the others
            refused = isinstance(error, RequestRefusedError)
            answer({"id": header["id"], "failed": f"{type(error).__name__}: {error}", "request": refused})

    with ThreadPoolExecutor(max_workers=arguments.workers) as pool:
        while (message := _read(requests)) is not None:
            pool.submit(serve, *message)
        # Not sys.exit: that would wait for the decodes that still run.
        os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="slukh.stt.whisper.worker")
    parser.add_argument("model")
    parser.add_argument("--compute-type", default="int8")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The protocol's own descriptors; fd 0 becomes empty and fd 1 the log."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _read(requests: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """The next request, or None when the gateway is gone."""
    prefix = requests.read(LENGTH.size)
    if len(prefix) < LENGTH.size:
        return None
    header, length = parse_header(requests.read(header_length(prefix)))
    payload = requests.read(length)
    return (header, payload) if len(payload) == length else None


if __name__ == "__main__":
    main()
