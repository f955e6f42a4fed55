"""Whisper on this machine: one child process, one model for all calls, fed in order of urgency.

The gateway's side never waits for the model: requests stand in a `DecodeQueue`, as many as the child has
workers are with the child, and every one of them has a deadline. A child that dies fails what it was decoding
and is started again; what still waits is served by its successor. A child that does not answer in time is
killed.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slukh.errors import (
    SettingsError,
    SttError,
    SttOverloadedError,
    SttRequestError,
    SttStreamError,
    SttTimeoutError,
    WeightsError,
)
from slukh.stt.language import SUPPORTED
from slukh.stt.whisper.child import (
    ChildDiedError,
    ChildOptions,
    ModelRefusedError,
    WhisperChild,
    decoding_from,
    spawn_child,
)
from slukh.stt.whisper.decoding import DecodeRequest, DecoderLimits, Decoding, Upload
from slukh.stt.whisper.queueing import DecodeQueue

logger = logging.getLogger(__name__)

_FIRST_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class _InFlight:
    """A request that the child has.

    Attributes:
        request: what was asked.
        deadline: kills the child when it passes.
    """

    request: DecodeRequest
    deadline: asyncio.TimerHandle


class LocalDecoder:
    """A `Decoder` over a child process.

    Args:
        model_path: folder of a CTranslate2 Whisper with its tokenizer.json.
        compute_type: CTranslate2's, such as `int8`.
        threads: CPU threads of one decode.
        workers: decodes side by side; they share one model. Of several, one is kept for finals.
        decode_seconds: longest that one decode may take before the child is taken for hung.
        request_seconds: longest that a request may wait and be decoded, together.
        load_seconds: longest that the model may take to load.
        max_waiting: requests that may wait; interims and speculations beyond that are refused, finals never.
        program: the module that the child runs.
        name: registry name for errors.

    Attributes:
        on_restart: called whenever the child is about to be started again.
    """

    def __init__(
        self,
        model_path: Path,
        *,
        compute_type: str = "int8",
        threads: int = 1,
        workers: int = 1,
        decode_seconds: float = 30.0,
        request_seconds: float = 30.0,
        load_seconds: float = 120.0,
        max_waiting: int = 256,
        program: str = "slukh.stt.whisper.worker",
        name: str = "whisper",
    ) -> None:
        self.limits = DecoderLimits(
            interims=True, speculative=True, repetition_guard=True, languages=frozenset(SUPPORTED)
        )
        self.on_restart: Callable[[], None] = lambda: None
        self._options = ChildOptions(
            model_path=model_path,
            compute_type=compute_type,
            threads=threads,
            workers=workers,
            program=program,
        )
        self._decode_seconds = decode_seconds
        self._request_seconds = request_seconds
        self._load_seconds = load_seconds
        self._max_waiting = max_waiting
        self._name = name
        self._queue = DecodeQueue()
        self._futures: dict[int, asyncio.Future[Decoding]] = {}
        self._in_flight: dict[int, _InFlight] = {}
        self._hung = False
        self._number = 0
        self._child: WhisperChild | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def child_pid(self) -> int | None:
        """Process id of the child that serves now, or None while there is none."""
        return None if self._child is None else self._child.pid

    @property
    def queue_age_seconds(self) -> float:
        """How long the final that waits longest has waited; 0.0 when none does."""
        oldest = self._queue.oldest()
        return 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest

    async def start(self) -> None:
        """Load the model. Idempotent.

        Raises:
            WeightsError: it is missing, or not a CTranslate2 Whisper.
            SettingsError: this machine does not have the compute type.
            SttStreamError: the child died while it loaded.
        """
        if self._supervisor is not None:
            return
        try:
            child = await self._spawn()
        except ModelRefusedError as error:
            if error.compute_types:
                choice = ", ".join(error.compute_types)
                raise SettingsError(
                    str(error), remedy=f"set SLUKH_WHISPER_COMPUTE_TYPE to one of {choice}"
                ) from error
            raise WeightsError(
                f"the Whisper model in {self._options.model_path} cannot be loaded ({error})",
                remedy="get it again with `slukh weights get`, or name a folder with a CTranslate2 Whisper",
            ) from error
        except ChildDiedError as error:
            raise SttStreamError(
                self._name, str(error), remedy="a smaller WHISPER_MODEL_SIZE, or more memory for this machine"
            ) from error
        if not child.is_multilingual:
            english = frozenset(code for code in SUPPORTED if SUPPORTED[code].iso == "en")
            self.limits = DecoderLimits(
                interims=True, speculative=True, repetition_guard=True, languages=english
            )
        self._child = child
        self._supervisor = asyncio.create_task(self._supervise(child))

    async def decode(self, request: DecodeRequest) -> Decoding:
        """The text of a request, in its turn.

        Raises:
            SttOverloadedError: too many wait, or a newer interim took its place.
            SttStreamError: the child died over it, or the decoder is closed.
            SttTimeoutError: it did not come in time.
            SttRequestError: the model does not speak the language.
        """
        if self._closed or self._supervisor is None:
            raise SttStreamError(self._name, "the local Whisper is not running")
        if len(self._queue) >= self._max_waiting and request.kind != "final":
            raise SttOverloadedError(self._name, f"{len(self._queue)} decodes wait for the local Whisper")
        loop = asyncio.get_running_loop()
        self._number += 1
        number = self._number
        future: asyncio.Future[Decoding] = loop.create_future()
        self._futures[number] = future
        for replaced in self._queue.put(number, request, loop.time()):
            self._fail(replaced, SttOverloadedError(self._name, "a newer interim took its place"))
        self._dispatch()
        try:
            async with asyncio.timeout(self._request_seconds):
                return await future
        except TimeoutError:
            detail = f"no answer from the local Whisper in {self._request_seconds:g} s"
            raise SttTimeoutError(self._name, detail) from None
        finally:
            self._queue.discard([number])
            self._futures.pop(number, None)

    def upload(self, _request: DecodeRequest) -> Upload | None:
        """None: a decode has to have the utterance whole."""
        return None

    def hasten(self, request: DecodeRequest) -> None:
        """Serve it with the finals, if it still waits."""
        self._queue.hasten(request)

    async def aclose(self) -> None:
        """End the child; requests fail."""
        self._closed = True
        for number in list(self._futures):
            self._fail(number, SttStreamError(self._name, "the local Whisper was stopped"))
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        if self._child is not None:  # the supervisor had not even begun
            child, self._child = self._child, None
            child.kill()
            await child.stop()

    async def _spawn(self) -> WhisperChild:
        child = await spawn_child(self._options)
        try:
            async with asyncio.timeout(self._load_seconds):
                await child.wait_ready()
        except BaseException as error:
            child.kill()
            await child.stop()
            if isinstance(error, TimeoutError):
                raise ChildDiedError(
                    f"the Whisper child loaded no model in {self._load_seconds:g} s"
                ) from error
            raise
        return child

    async def _supervise(self, first: WhisperChild) -> None:
        """Serve with one child after the other until cancelled."""
        child: WhisperChild | None = first
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            if child is not None and await self._serve(child):
                backoff = _FIRST_BACKOFF_SECONDS
            await asyncio.sleep(backoff)
            backoff = min(_LONGEST_BACKOFF_SECONDS, 2 * backoff)
            self.on_restart()
            child = None
            try:
                child = await self._spawn()
            except (ChildDiedError, ModelRefusedError, OSError) as error:
                logger.warning("whisper_child_restart_failed", extra={"reason": str(error)})
            else:
                logger.warning("whisper_child_restarted")

    async def _serve(self, child: WhisperChild) -> bool:
        """Until the child dies; whether it has decoded anything."""
        worked = False
        self._child, self._hung = child, False
        self._dispatch()
        try:
            while True:
                self._take_answer(await child.receive())
                worked = True
        except ChildDiedError as error:
            logger.warning(
                "whisper_child_died", extra={"reason": str(error), "in_flight": len(self._in_flight)}
            )
            self._fail_in_flight(str(error))
        finally:
            self._child = None
            self._fail_in_flight("the local Whisper was stopped")
            child.kill()
            await child.stop()
        return worked

    def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        while self._child is not None and (free := self._options.workers - len(self._in_flight)) > 0:
            ticket = self._queue.take(finals_only=free == 1 < self._options.workers)
            if ticket is None:
                return
            self._in_flight[ticket.number] = _InFlight(
                request=ticket.request,
                deadline=loop.call_later(self._decode_seconds, self._kill_hung, self._child),
            )
            self._child.send(ticket.number, ticket.request)

    def _take_answer(self, header: dict[str, Any]) -> None:
        flight = self._in_flight.pop(header.get("id", 0), None)
        if flight is None:
            raise ChildDiedError("the Whisper child answered what it was not asked")
        flight.deadline.cancel()
        future = self._futures.get(header["id"])
        if future is not None and not future.done():
            if "failed" in header:
                error = SttRequestError if header["request"] else SttStreamError
                future.set_exception(error(self._name, f"Whisper failed: {header['failed']}"))
            else:
                future.set_result(decoding_from(header, flight.request))
        self._dispatch()

    def _kill_hung(self, child: WhisperChild) -> None:
        self._hung = True
        child.kill()

    def _fail_in_flight(self, reason: str) -> None:
        for number, flight in self._in_flight.items():
            flight.deadline.cancel()
            if self._hung:
                detail = f"the Whisper child hung for {self._decode_seconds:g} s and was killed"
                self._fail(number, SttTimeoutError(self._name, detail))
            else:
                self._fail(number, SttStreamError(self._name, reason))
        self._in_flight.clear()

    def _fail(self, number: int, error: SttError) -> None:
        future = self._futures.get(number)
        if future is not None and not future.done():
            future.set_exception(error)
            future.exception()  # counts as read: its waiter may have been cancelled in the same turn
