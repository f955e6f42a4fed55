"""One utterance through Whisper: when to decode, what to believe. The one policy of both decoders.

    voice comes in   every 400 ms of it, from 800 ms on, an interim: greedy, short window, guarded against
                     loops, one at a time; what two in a row agree on is stable
    200 ms silence   a speculative final; whatever is voiced after the audio it covered makes it void
    end()            that speculative final if it still holds, else a final: beam 5, 30 s window
    a loop           in clearly voiced audio is decoded once more without repetitions, so that the
                     caller's sentence is not lost with it
    the guard        refuses what nobody said: a Rejection, then an empty final

All distances are counted in samples of audio, never in time, so the same audio gives the same decodes.
An interim that fails is passed over in silence: the final is what counts, and it reports the failure.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

from slukh.errors import SttError, SttRequestError, SttStreamError
from slukh.stt.base import Result, StreamConfig
from slukh.stt.results import ResultQueue
from slukh.stt.whisper.agreement import LocalAgreement
from slukh.stt.whisper.decoding import Decoder, DecodeRequest, Decoding, Kind, Upload
from slukh.stt.whisper.finals import Voice, final_results, interim, is_shown
from slukh.stt.whisper.guard import CLEARLY_VOICED_SECONDS, loop_reason
from slukh.stt.whisper.policy import DEFAULT_POLICY, StreamPolicy, request_for
from slukh.types import SAMPLE_RATE_HERTZ, AudioChunk, samples_from_ms

logger = logging.getLogger(__name__)

_stream_numbers = itertools.count(1)


class WhisperStream:
    """An `SttStream` over a `Decoder`; made by `WhisperProvider.open`.

    `send` after `end` is refused, after `close` it is ignored. `end` twice is once. `close` is allowed at any
    time and ends the iteration without a final.
    """

    def __init__(
        self,
        decoder: Decoder,
        config: StreamConfig,
        *,
        provider: str = "whisper",
        policy: StreamPolicy = DEFAULT_POLICY,
        metered: bool = False,
    ) -> None:
        self._decoder = decoder
        self._config = config
        self._provider = provider
        self._policy = policy
        limits = decoder.limits
        may_say_interims = (limits.interims or limits.interims_when_idle) and not metered
        self._interims = config.interim_results and may_say_interims
        self._speculates = limits.speculative and not metered and not config.is_background
        self._final_kind: Kind = "background" if config.is_background else "final"
        self._number = next(_stream_numbers)
        self._results = ResultQueue()
        self._agreement = LocalAgreement()
        self._pcm = bytearray()
        self._voice = Voice()
        self._interim_voiced = 0  # voice at the last interim, in samples
        self._interim: asyncio.Task[None] | None = None
        self._speculation: asyncio.Task[Decoding] | None = None
        self._deciding: DecodeRequest | None = None  # what the speculation, or the final, waits for
        self._may_upload = True
        self._upload: Upload | None = None
        self._uploading: asyncio.Task[Decoding] | None = None
        self._final: asyncio.Task[None] | None = None
        self._closed = False

    async def send(self, chunk: AudioChunk) -> None:
        """Take audio; starts the decodes that are due. Never blocks: an utterance is short and kept whole.

        Raises:
            SttRequestError: after `end`, or when the utterance outgrows what the decoder takes.
        """
        if self._closed:
            return
        if self._final is not None:
            raise SttRequestError(self._provider, "audio after the end of the utterance")
        if self._voice.samples + chunk.samples > self._decoder.limits.max_seconds * SAMPLE_RATE_HERTZ:
            limit = f"{self._decoder.limits.max_seconds:g} s"
            raise SttRequestError(self._provider, f"the utterance is longer than {limit}")
        self._pcm += chunk.pcm
        is_voiced = self._voice.add(chunk)
        if self._upload is not None:
            self._upload.feed(chunk.pcm)
        if is_voiced:
            self._drop_speculation()
            self._upload_from_the_first_voice()
            self._interim_if_due()
        self._speculate_if_due()

    async def end(self) -> None:
        """The utterance is over: its final is decoded now, or is already there."""
        if self._closed or self._final is not None:
            return
        self._cancel(self._interim)
        self._final = asyncio.create_task(self._finish())

    def __aiter__(self) -> AsyncIterator[Result]:
        """Interims, perhaps a `Rejection`, then exactly one final; for one reader."""
        return aiter(self._results)

    async def close(self) -> None:
        """Cancel what still runs; the iteration ends."""
        self._closed = True
        running = (self._interim, self._speculation, self._uploading, self._final)
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._results.close()

    # Interims

    def _interim_if_due(self) -> None:
        due = max(
            samples_from_ms(self._policy.first_interim_ms),
            self._interim_voiced + samples_from_ms(self._policy.interim_every_ms),
        )
        if self._interims and self._interim is None and self._voice.voiced >= due:
            self._interim_voiced = self._voice.voiced
            self._interim = asyncio.create_task(self._say_interim(self._request("interim")))
            self._interim.add_done_callback(self._interim_is_over)

    def _interim_is_over(self, task: asyncio.Task[None]) -> None:
        if self._interim is task:
            self._interim = None

    async def _say_interim(self, request: DecodeRequest) -> None:
        try:
            decoding = await self._decoder.decode(request)
        except SttError as error:
            logger.debug("interim_failed", extra={"provider": self._provider, "error_type": error.error_type})
            return
        if self._final is None and is_shown(decoding):
            self._results.say(interim(decoding, *self._agreement.update(decoding.text)))

    # Finals

    def _speculate_if_due(self) -> None:
        silence = self._voice.samples - self._voice.last
        if (
            self._speculates
            and self._speculation is None
            and self._voice.voiced > 0
            and silence >= samples_from_ms(self._policy.speculate_after_ms)
        ):
            self._cancel(self._interim)
            self._speculation = asyncio.create_task(self._decode(self._request("speculative")))
            self._speculation.add_done_callback(_look_at_its_error)

    def _drop_speculation(self) -> None:
        if self._speculation is not None:
            self._speculation.cancel()
            self._speculation = None

    async def _finish(self) -> None:
        try:
            if not self._voice.voiced:
                decoding = Decoding(text="", language_code=self._config.language_code)
            else:
                decoding = (
                    await self._speculated()
                    or await self._uploaded()
                    or await self._decode(self._final_request())
                )
            results = final_results(decoding, self._voice)
        except SttError as error:
            self._results.fail(error)
            return
        except Exception as error:  # a bug of ours must not leave the reader waiting for ever
            logger.exception("decode_failed")
            failure = SttStreamError(self._provider, f"decoding failed with {type(error).__name__}")
            failure.__cause__ = error
            self._results.fail(failure)
            return
        self._results.say(*results)

    async def _speculated(self) -> Decoding | None:
        """The speculative final, or None when there is none that holds or it failed."""
        if self._speculation is None:
            return None
        if self._deciding is not None:
            self._decoder.hasten(self._deciding)
        with contextlib.suppress(SttError):
            return await self._speculation
        return None

    def _upload_from_the_first_voice(self) -> None:
        """Where a decoder takes pieces, one that is not there is noticed while the caller speaks."""
        if not self._may_upload:
            return
        self._may_upload = False
        self._upload = self._decoder.upload(self._request("final"))
        if self._upload is not None:
            self._upload.feed(bytes(self._pcm))
            self._uploading = asyncio.create_task(self._upload.decode())
            self._uploading.add_done_callback(self._upload_is_over)

    def _upload_is_over(self, task: asyncio.Task[Decoding]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), SttError) and self._final is None:
            self._results.fail(error)

    async def _uploaded(self) -> Decoding | None:
        """The final of what was sent while it was spoken, or None when nothing was."""
        if self._upload is None or self._uploading is None:
            return None
        self._upload.end()
        return await self._uploading

    async def _decode(self, request: DecodeRequest) -> Decoding:
        self._deciding = request
        decoding = await self._decoder.decode(request)
        if (
            loop_reason(decoding)
            and self._decoder.limits.repetition_guard
            and self._voice.seconds >= CLEARLY_VOICED_SECONDS
        ):
            kind: Kind = "speculative" if self._final is None else self._final_kind
            self._deciding = replace(request, kind=kind, no_repeat_ngram_size=3)
            return await self._decoder.decode(self._deciding)
        return decoding

    def _final_request(self) -> DecodeRequest:
        """Of all the audio; after a failed speculation, of what that heard: a death changes no text."""
        if self._speculation is None or self._deciding is None:
            return self._request(self._final_kind)
        return replace(self._deciding, kind=self._final_kind)

    def _request(self, kind: Kind) -> DecodeRequest:
        return request_for(
            kind,
            bytes(self._pcm),
            voiced_seconds=self._voice.seconds,
            stream=self._number,
            config=self._config,
            policy=self._policy,
        )

    @staticmethod
    def _cancel(task: asyncio.Task[None] | None) -> None:
        if task is not None:
            task.cancel()


def _look_at_its_error(task: asyncio.Task[Decoding]) -> None:
    """A speculative decode that nobody came to need may fail unheard."""
    if not task.cancelled():
        task.exception()
