"""The gateway's side of one Whisper child process: start it, ask it, notice that it is gone."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slukh.stt.language import bcp_47, iso_639_1
from slukh.stt.whisper.decoding import DecodeRequest, Decoding
from slukh.stt.whisper.framing import LENGTH, FramingError, frame, header_length, parse_header

logger = logging.getLogger(__name__)

_GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildOptions:
    """How the child runs its model.

    Attributes:
        model_path: folder of a CTranslate2 Whisper.
        compute_type: CTranslate2's, such as `int8`.
        threads: CPU threads of one decode.
        workers: decodes side by side.
        program: the module that runs.
    """

    model_path: Path
    compute_type: str = "int8"
    threads: int = 1
    workers: int = 1
    program: str = "slukh.stt.whisper.worker"


class ModelRefusedError(Exception):
    """The child is well, the model cannot be loaded; the sentence says why.

    Attributes:
        compute_types: those to choose from, where only that setting is at fault.
    """

    def __init__(self, why: str, compute_types: Sequence[str] = ()) -> None:
        super().__init__(why)
        self.compute_types = tuple(compute_types)


class ChildDiedError(Exception):
    """The child is gone, or its pipe cannot be trusted any more."""


class WhisperChild:
    """One running child. Made by `spawn_child`, gone after `stop`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last_words = ""
        self._log = asyncio.create_task(self._read_log())
        self.is_multilingual = True

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def wait_ready(self) -> None:
        """Until the model is loaded.

        Raises:
            ModelRefusedError: it cannot be.
            ChildDiedError: the child went before it said so.
        """
        header = await self.receive()
        if "refused" in header:
            raise ModelRefusedError(str(header["refused"]), header.get("compute_types", ()))
        if "ready" not in header:
            raise ChildDiedError("the Whisper child did not say that it is ready")
        self.is_multilingual = bool(header["ready"]["multilingual"])

    def send(self, number: int, request: DecodeRequest) -> None:
        """Ask for a decode; the answer comes out of `receive` with that number as `id`."""
        assert self._process.stdin is not None
        self._process.stdin.write(frame({"id": number, **asked(request)}, request.pcm))

    async def receive(self) -> dict[str, Any]:
        """The next message.

        Raises:
            ChildDiedError: there will be none; the sentence says how it ended.
        """
        assert self._process.stdout is not None
        try:
            prefix = await self._process.stdout.readexactly(LENGTH.size)
            encoded = await self._process.stdout.readexactly(header_length(prefix))
            header, length = parse_header(encoded)
            await self._process.stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._process.wait()
            raise ChildDiedError(self._obituary()) from None
        except FramingError as error:
            raise ChildDiedError(f"the Whisper child wrote {error}") from error
        return header

    def kill(self) -> None:
        """End it now; `receive` notices."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self) -> None:
        """Close its stdin, which ends it; kill it when it does not go. Idempotent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
        await self._log

    def _obituary(self) -> str:
        code = self._process.returncode or 0
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the Whisper child died ({how})" + (f": {self._last_words}" if self._last_words else "")

    async def _read_log(self) -> None:
        """Its stderr: at DEBUG, the last line kept for the obituary. Never anything a caller said."""
        assert self._process.stderr is not None
        while line := await self._process.stderr.read(4096):
            text = line.decode(errors="replace").strip()
            logger.debug("whisper_child_stderr", extra={"line": text})
            self._last_words = text.splitlines()[-1][:200] if text else self._last_words


async def spawn_child(options: ChildOptions) -> WhisperChild:
    """A child that loads its model; `wait_ready` says when it is done."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", options.program, str(options.model_path),
        "--compute-type", options.compute_type,
        "--threads", str(options.threads),
        "--workers", str(options.workers),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"},
    )  # fmt: skip
    return WhisperChild(process)


def asked(request: DecodeRequest) -> dict[str, Any]:
    """A request as model.py reads it."""
    prior: Mapping[str, float] = request.language_prior or {request.language_code: 1.0}
    languages: dict[str, float] = {}
    for code, probability in prior.items():
        languages[iso_639_1(code)] = languages.get(iso_639_1(code), 0.0) + probability
    return {
        "languages": languages,
        "beam_size": request.beam_size,
        "window_seconds": max(request.window_seconds, request.audio_seconds),
        "max_new_tokens": request.max_new_tokens,
        "no_repeat_ngram_size": request.no_repeat_ngram_size,
        "prompt": ", ".join(request.phrase_hints),
    }


def decoding_from(header: Mapping[str, Any], request: DecodeRequest) -> Decoding:
    """The answer to a request as model.py writes it."""
    allowed = (request.language_code, *request.language_prior)
    return Decoding(
        text=header["text"],
        avg_logprob=header["avg_logprob"],
        no_speech_probability=header["no_speech_probability"],
        language_code=bcp_47(header["language"], allowed),
        language_probabilities={bcp_47(iso, allowed): p for iso, p in header["heard"].items()},
        token_limit_hit=header["token_limit_hit"],
        decode_seconds=header["decode_seconds"],
    )
