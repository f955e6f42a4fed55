"""A local Google: Speech-to-Text v2 streaming on loopback, in Google's own messages, without an account.

    async with LocalGoogle(heard_words) as google:
        ...            # point a GoogleProvider at google.endpoint
        google.streams[0].config, google.streams[0].audio

It hears with what it is given (`google_ears.py`) and fails as its script says (`google_recognition.py`). Its
limits are Google's (`google_limits.py`).
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from types import TracebackType
from typing import Self

import grpc  # type: ignore[import-untyped]  # grpcio ships no types
from google.cloud.speech_v2.types import cloud_speech

from slukh.testing.google_ears import Ears, FunctionEars, Hear
from slukh.testing.google_limits import GoogleLimits
from slukh.testing.google_recognition import WORKS, GoogleRecognition, GoogleScript, GoogleStreamRecord


class LocalGoogle:
    """See the module.

    Args:
        hears: a function that hears words in linear 16-bit 8 kHz audio, or ears; it gets all that is not
            finalised.
        scripts: one for each stream in the order they come; then everything works.
        limits: what it knows and allows.
        port: on 127.0.0.1; 0 chooses one.

    Attributes:
        streams: those whose first message came, in order.
        arrived: set as long as a stream has come since it was last cleared.
    """

    def __init__(
        self,
        hears: Hear | Ears,
        scripts: Iterable[GoogleScript] = (),
        *,
        limits: GoogleLimits | None = None,
        port: int = 0,
    ) -> None:
        self.streams: list[GoogleStreamRecord] = []
        self.arrived = asyncio.Event()
        self.limits = limits or GoogleLimits()
        self._ears = FunctionEars(hears) if callable(hears) else hears
        self._scripts = itertools.chain(scripts, itertools.repeat(WORKS))
        self._port = port
        self._server: grpc.aio.Server | None = None

    @property
    def endpoint(self) -> str:
        """`host:port`, once it is started."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after a `stop` on the same port."""
        handler = grpc.stream_stream_rpc_method_handler(
            self._recognize,
            request_deserializer=cloud_speech.StreamingRecognizeRequest.deserialize,
            response_serializer=cloud_speech.StreamingRecognizeResponse.serialize,
        )
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    "google.cloud.speech.v2.Speech", {"StreamingRecognize": handler}
                )
            ]
        )
        self._port = self._server.add_insecure_port(self.endpoint)
        await self._server.start()

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Say GOAWAY, wait so long for running streams, end the others. Idempotent."""
        if self._server is not None:
            await self._server.stop(grace_seconds)

    async def _recognize(
        self,
        requests: AsyncIterator[cloud_speech.StreamingRecognizeRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        script = next(self._scripts)
        metadata = dict(context.invocation_metadata() or ())
        first = await anext(requests, None)
        if first is None:
            return
        record = GoogleStreamRecord(
            recognizer=first.recognizer,
            config=first.streaming_config,
            metadata=metadata,
            peer=context.peer(),
        )
        self.streams.append(record)
        self.arrived.set()
        refusal = script.refusal or self.limits.refuse_metadata(metadata) or self.limits.refuse_request(first)
        recognition = GoogleRecognition(record, script, self.limits, self._ears, context)
        try:
            refusal = refusal or await recognition.run(requests)
        finally:
            record.ended = True
        if refusal is not None:
            await context.abort(*refusal)
