"""A local Whisper whose child is killed in the middle of decodes."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

from slukh.stt.whisper.decoding import DecodeRequest, Decoding, Kind, Upload
from slukh.stt.whisper.local import LocalDecoder

_LOOK_SECONDS = 0.01


class SabotagedDecoder:
    """A `Decoder` over a local one.

    Args:
        decoder: whose child dies.
        when: seconds into the decode of a request at which the child is killed, or None to spare it. A decode
            that is over sooner is spared as well.

    Attributes:
        limits: the local one's.
        kills: children killed, by the kind of the request they were killed over.
        killed_at: monotonic seconds of each kill.
        restart_seconds: from each kill until the next child served.
    """

    def __init__(self, decoder: LocalDecoder, when: Callable[[DecodeRequest], float | None]) -> None:
        self.kills: Counter[Kind] = Counter()
        self.killed_at: list[float] = []
        self.restart_seconds: list[float] = []
        self.limits = decoder.limits
        self._decoder = decoder
        self._when = when
        self._watching: set[asyncio.Task[None]] = set()

    @property
    def queue_age_seconds(self) -> float:
        """The local one's."""
        return self._decoder.queue_age_seconds

    async def start(self) -> None:
        """Load the model."""
        await self._decoder.start()
        self.limits = self._decoder.limits

    async def decode(self, request: DecodeRequest) -> Decoding:
        """The local one's answer, unless its child dies over it."""
        delay = self._when(request)
        if delay is None:
            return await self._decoder.decode(request)
        killing = asyncio.create_task(self._kill(request.kind, delay))
        try:
            return await self._decoder.decode(request)
        finally:
            killing.cancel()

    def upload(self, request: DecodeRequest) -> Upload | None:
        """Pass it on."""
        return self._decoder.upload(request)

    def hasten(self, request: DecodeRequest) -> None:
        """Pass it on."""
        self._decoder.hasten(request)

    async def aclose(self) -> None:
        """End the child for good."""
        for task in self._watching:
            task.cancel()
        await self._decoder.aclose()

    async def _kill(self, kind: Kind, delay: float) -> None:
        while (pid := self._decoder.child_pid) is None:  # noqa: ASYNC110  # it tells nobody when it has one
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(delay)
        if self._decoder.child_pid != pid:  # it died already
            return
        os.kill(pid, signal.SIGKILL)
        self.kills[kind] += 1
        self.killed_at.append(time.monotonic())
        watching = asyncio.create_task(self._time_restart(pid))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    async def _time_restart(self, pid: int) -> None:
        began = time.monotonic()
        while self._decoder.child_pid in (None, pid):  # noqa: ASYNC110  # likewise
            await asyncio.sleep(_LOOK_SECONDS)
        self.restart_seconds.append(time.monotonic() - began)
