"""Work beside the calls."""

import asyncio

import pytest

from slukh.background import in_background
from slukh.errors import SttConnectError


async def ends(error: Exception | None) -> None:
    if error is not None:
        raise error


async def ended(error: Exception | None) -> None:
    await asyncio.wait({in_background(ends(error))})


async def test_what_ends_work_in_the_background_is_logged_at_once(caplog: pytest.LogCaptureFixture) -> None:
    await ended(KeyError("a bug of ours"))
    await ended(SttConnectError("whisper", "refused"))
    logged = [
        (record.__dict__["work"], record.__dict__["error"], bool(record.exc_info))
        for record in caplog.records
    ]
    assert logged == [("ends", "'a bug of ours'", True), ("ends", "whisper: refused", False)]


async def test_work_that_is_done_or_cancelled_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    await ended(None)
    task = in_background(asyncio.sleep(3600.0))
    task.cancel()
    await asyncio.wait({task})
    assert caplog.records == []
