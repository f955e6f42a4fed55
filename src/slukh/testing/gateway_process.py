"""A gateway in a process of its own, whose recogniser hears numbered audio.

    python -m slukh.testing.gateway_process AUDIOSOCKET_PORT WEBSOCKET_PORT HTTP_PORT SECRET [--deaf]

It is `slukh serve` with fakes in place of the models: for tests that kill gateways, or that need a whole
telephone exchange around them. SECRET is its token and its WebSocket password. With --deaf no recogniser ever
answers, and the gateway hangs up. SIGTERM ends it at once, giving its calls back to the dial plan.
"""

import asyncio
import contextlib
import signal
import sys
import tempfile
from itertools import repeat
from pathlib import Path

import uvicorn

from slukh.errors import SttRequestError
from slukh.serving.gateway import Admission
from slukh.stt.fake import Script
from slukh.testing.gateways import loopback_gateway
from slukh.testing.parts import fake_parts
from slukh.web.api import ApiOptions, create_app
from slukh.web.server import WebServer

DEAF = Script(open_error=SttRequestError("fake", "is deaf"))


async def serve(audiosocket: int, websocket: int, http: int, secret: str, *, is_deaf: bool) -> None:
    """Run until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    parts = fake_parts(repeat(DEAF) if is_deaf else ())
    with tempfile.TemporaryDirectory() as folder:
        running = loopback_gateway(
            parts,
            Path(folder),
            websocket_password=secret,
            ports=(audiosocket, websocket),
            admission=Admission(max_calls=200, when_down="hangup"),
        )
        async with contextlib.AsyncExitStack() as stack:
            gateway = await stack.enter_async_context(running)
            options = ApiOptions(
                token=secret,
                caller_key=b"test",
                language_code=parts.language_code,
                alternative_language_codes=(),
                refuse_reason=lambda: None,
                not_ready=dict,
                metrics=gateway.metrics.render,
            )
            app = create_app(gateway.book, options)
            web = WebServer(uvicorn.Config(app, port=http, log_config=None, lifespan="off", ws="none"))
            serving = asyncio.create_task(web.serve())
            await stop.wait()
            await stack.aclose()
            web.should_exit = True
            await serving


if __name__ == "__main__":
    media, frames, api, key, *options = sys.argv[1:]
    asyncio.run(serve(int(media), int(frames), int(api), key, is_deaf="--deaf" in options))
