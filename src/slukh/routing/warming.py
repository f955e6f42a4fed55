"""Is a recogniser dead, slow, or still loading its model?

One that is not there, or refuses, says so at once. One that is there and gives no answer, or says that it has
no room yet, may be loading: it is waited for, and then played the clip again, because the answer that it
loaded its model for says nothing about calls.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from slukh.errors import SttError, SttOverloadedError, SttTimeoutError
from slukh.routing.health import Clip, Heard, hear_clip
from slukh.stt.base import SttProvider

_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a recogniser is waited for.

    Attributes:
        usual_seconds: by then one that is ready has started, heard a clip and given its final.
        most_seconds: and one that may be loading is waited for so long.
        on_wait: told why, once, when the usual time is over.
    """

    usual_seconds: float
    most_seconds: float
    on_wait: Callable[[str], None] = lambda _why: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warmed:
    """A recogniser that heard.

    Attributes:
        heard: what it makes of a clip, and how soon, when it has nothing to load.
        loading_seconds: how long its first answer took, where that was longer than usual; else None.
    """

    heard: Heard
    loading_seconds: float | None


async def hear_when_loaded(provider: SttProvider, clip: Clip, patience: Patience) -> Warmed:
    """Start a recogniser and play it a clip; a second time when the first answer was late.

    Raises:
        WeightsError: its model is missing or corrupt.
        SttOverloadedError: it is there, and says that it has no room, or still loads, all the time.
        SttTimeoutError: it is there, and gave no answer in time; or is slow although it has loaded.
        SttError: it failed, which no waiting mends.
    """
    loop, most = asyncio.get_running_loop(), patience.most_seconds
    usual = min(patience.usual_seconds, most)
    began = loop.time()
    said: SttError | None = None
    notice = loop.call_later(
        usual, lambda: patience.on_wait(said.detail if said is not None else f"no answer in {usual:g} s")
    )
    try:
        async with asyncio.timeout(most):
            while True:
                try:
                    await provider.start()
                    heard = await hear_clip(provider, clip, timeout_seconds=most)
                    break
                except (SttOverloadedError, SttTimeoutError) as error:
                    said = error
                await asyncio.sleep(_AGAIN_SECONDS)
    except TimeoutError:
        if said is not None:
            raise type(said)(provider.name, f"still not ready after {most:g} s: {said.detail}") from said
        detail = f"it is there, and gave no answer in {most:g} s: still loading, too slow, or stuck"
        raise SttTimeoutError(provider.name, detail) from None
    finally:
        notice.cancel()
    taken = loop.time() - began
    if taken <= usual:
        return Warmed(heard=heard, loading_seconds=None)
    try:
        return Warmed(heard=await hear_clip(provider, clip, timeout_seconds=usual), loading_seconds=taken)
    except TimeoutError:
        detail = f"no answer in {usual:g} s, though it had answered before and so has its model"
        raise SttTimeoutError(provider.name, detail) from None
