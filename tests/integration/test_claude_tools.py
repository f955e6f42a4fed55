"""The tools that Claude calls: what they say, and what they do that hang, fail or cannot be read."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.integration.claude_desk import desk, order_status, words

from slukh.dialog.base import Leave
from slukh.dialog.tools import MOST_THREADS, tool_from, tools_in
from slukh.errors import DialogError, SettingsError
from slukh.testing.anthropic_server import Calls, Speaks


async def test_a_tool_is_called_and_its_answer_spoken() -> None:
    async with desk(
        Calls("order_status", {"number": "4512"}, "Зараз подивлюся. "), Speaks("Замовлення готове.")
    ) as own:
        assert words(await own.says("де замовлення 4512")) == ["Зараз подивлюся.", "Замовлення готове."]
        result = own.server.requests[1]["messages"][-1]["content"][0]
        assert (result["content"], result["is_error"]) == ("4512: ready", False)
        assert [u.request for u in own.used] == [1, 2]


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("broken", {}, "broken failed: ZeroDivisionError"),
        ("broken", {"nonsense": 1}, "broken failed: TypeError"),
        ("impatient", {}, "impatient failed: TimeoutError"),
        ("slow", {}, "slow did not answer in 0.1 s, and may do it all the same: do not ask for it again"),
        ("hangs", {}, "hangs did not answer in 0.1 s, and may do it all the same: do not ask for it again"),
        ("nobody", {}, "there is no tool nobody"),
    ],
)
async def test_a_tool_that_fails_is_told_to_the_model_and_the_call_goes_on(
    name: str, arguments: dict[str, Any], says: str
) -> None:
    waits: dict[str, Any] = {"tool_seconds": 0.1} if name in {"slow", "hangs"} else {}
    async with desk(Calls(name, arguments), Speaks("Вибачте."), **waits) as own:
        assert words(await own.says("?")) == ["Вибачте."]
        result = own.server.requests[1]["messages"][-1]["content"][0]
        assert (result["content"], result["is_error"]) == (says, True)


async def test_tools_that_hang_keep_no_other_tool_from_answering() -> None:
    release = threading.Event()

    def stuck() -> str:
        """Hangs until it is let go."""
        release.wait()
        return "late"

    tool = tool_from(stuck)
    try:
        await asyncio.gather(*(tool.run({}, timeout_seconds=0.05) for _ in range(64)))
        answered = await tool_from(order_status).run({"number": "4512"}, timeout_seconds=10)
        assert answered.text == "4512: ready"
        assert await asyncio.to_thread(lambda: "the loop's own threads are free")
    finally:
        release.set()


async def test_tools_that_hang_are_no_more_than_the_machine_bears() -> None:
    release = threading.Event()

    def stuck() -> None:
        """Hangs until it is let go."""
        release.wait()

    tool = tool_from(stuck)
    try:
        asked = [tool.run({}, timeout_seconds=0.2) for _ in range(MOST_THREADS + 1)]
        results = await asyncio.gather(*asked)
        assert [result.text for result in results].count("stuck failed: RuntimeError") == 1
    finally:
        release.set()
    for thread in [one for one in threading.enumerate() if one.name == "slukh-tool-stuck"]:
        await asyncio.to_thread(thread.join)
    assert (await tool_from(order_status).run({"number": "4512"}, timeout_seconds=10)).text == "4512: ready"


async def test_a_result_that_has_no_words_is_a_failure() -> None:
    class Wordless:
        def __str__(self) -> str:
            raise ZeroDivisionError

    async def answers() -> Wordless:
        """Answers something."""
        return Wordless()

    assert (await tool_from(answers).run({}, timeout_seconds=10)).text == "answers failed: ZeroDivisionError"


async def test_a_tool_that_would_end_the_process_does_not() -> None:
    def leaves() -> str:
        """Calls sys.exit."""
        raise SystemExit(1)

    assert (await tool_from(leaves).run({}, timeout_seconds=10)).is_error


def finds_nothing() -> str:
    """Asks an empty list for its first."""
    return next(iter([]))


def cancels_its_own() -> str:
    """Waits for work of its own that was cancelled."""
    work: Future[str] = Future()
    work.cancel()
    return work.result()


async def cancels_its_own_task() -> str:
    """Likewise, on the loop."""
    work = asyncio.ensure_future(asyncio.sleep(60))
    work.cancel()
    await work
    return "done"


@pytest.mark.parametrize("function", [finds_nothing, cancels_its_own, cancels_its_own_task])
async def test_a_tool_whose_own_work_ends_oddly_has_failed_and_is_not_late(
    function: Callable[[], Any],
) -> None:
    result = await tool_from(function).run({}, timeout_seconds=10)
    assert result.is_error
    assert "failed: " in result.text


async def test_a_tool_that_we_cancel_is_cancelled() -> None:
    async def waits() -> str:
        """Waits."""
        return await asyncio.Future()

    running = asyncio.create_task(tool_from(waits).run({}, timeout_seconds=10))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_model_that_only_calls_tools_is_stopped() -> None:
    async with desk(Calls("order_status", {"number": "1"})) as own:
        with pytest.raises(DialogError, match="rounds of tools"):
            await own.says("?")
        assert len(own.used) == 5


@pytest.mark.parametrize(("tool", "reason"), [("hand_over", "handover"), ("end_call", "goodbye")])
async def test_the_model_may_leave(tool: str, reason: str) -> None:
    async with desk(Calls(tool, {}, "З'єдную. ")) as own:
        steps = await own.says("людину")
        assert words(steps) == ["З'єдную."]
        assert steps[-1] == Leave(reason=reason)  # type: ignore[arg-type]  # parametrised


async def test_what_a_tool_has_done_is_kept_when_the_caller_interrupts() -> None:
    async with desk(Calls("order_status", {"number": "1"}), Speaks("Готове."), Speaks("Так.")) as own:
        await own.says("замовлення 1")
        own.talk.interrupted("")
        await own.says("алло")
        kinds = [m["content"][0]["type"] for m in own.server.requests[2]["messages"]]
        assert "tool_result" in kinds


def test_tools_of_a_file_are_read_with_their_types(tmp_path: Path) -> None:
    path = tmp_path / "shop.py"
    path.write_text(
        'def price(width: int, winter: bool = False) -> str:\n    """Price."""\nTOOLS = [price]\n'
    )
    (tool,) = tools_in(path)
    assert tool.schema == {
        "type": "object",
        "properties": {"width": {"type": "integer"}, "winter": {"type": "boolean"}},
        "required": ["width"],
    }


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1", "has no list TOOLS"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(a: int): pass\nTOOLS = [f]", "no docstring"),
        ("def f(a):\n '''Doc.'''\nTOOLS = [f]", "parameter a has no type"),
    ],
)
def test_tools_that_cannot_be_used_are_refused(tmp_path: Path, code: str, says: str) -> None:
    path = tmp_path / "shop.py"
    path.write_text(code)
    with pytest.raises(SettingsError, match=says):
        tools_in(path)
