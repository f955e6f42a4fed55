"""Claude through its official client, against a local API that speaks Anthropic's own events."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from slukh.cost.pricing.llm_tokens import Request, buckets
from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, CallerTurn, Leave, Say, Step
from slukh.dialog.claude import ClaudeConversation, ClaudeDialog, ClaudeRules
from slukh.dialog.tools import MOST_THREADS, tool_from, tools_in
from slukh.errors import DialogError, SettingsError
from slukh.testing.anthropic_server import KEY, Answer, AnthropicServer, Calls, Refuses, Speaks
from slukh.types import CallStarted, ModelAnswered, ModelUnanswered

CALL = CallStarted(call_id="c", language_code="uk-UA")
MODEL = "claude-haiku-4-5"


def order_status(number: str) -> str:
    """The state of an order, by its number."""
    return f"{number}: ready"


def broken(number: int = 1) -> str:
    """Raises."""
    raise ZeroDivisionError(number)


def impatient() -> str:
    """Waits for somebody for less than we wait for it."""
    raise TimeoutError


async def slow() -> str:
    """Takes for ever."""
    await asyncio.Event().wait()
    return "never"


def hangs() -> str:
    """Blocks its thread for longer than anybody waits."""
    time.sleep(0.5)
    return "late"


@dataclass
class Told:
    """What a call was told of its requests."""

    used: list[ModelAnswered] = field(default_factory=list)
    unanswered: list[ModelUnanswered] = field(default_factory=list)

    def __call__(self, event: ModelAnswered | ModelUnanswered) -> None:
        match event:
            case ModelAnswered():
                self.used.append(event)
            case ModelUnanswered():
                self.unanswered.append(event)


@dataclass
class Desk:
    dialog: ClaudeDialog
    talk: ClaudeConversation
    server: AnthropicServer
    used: list[ModelAnswered] = field(default_factory=list)
    unanswered: list[ModelUnanswered] = field(default_factory=list)

    async def says(self, turn: CallerTurn | str) -> list[Step]:
        said = CallerSaid(text=turn, language_code="uk-UA") if isinstance(turn, str) else turn
        return [step async for step in self.talk.answer(said)]

    async def summed_up(self) -> None:
        """Wait for the summary that is being made, if there is one."""
        if self.talk.summing_up is not None:
            await self.talk.summing_up


@asynccontextmanager
async def desk(*answers: Answer, least: int = 0, **rules: Any) -> AsyncIterator[Desk]:
    async with AnthropicServer(answers, least_cached_tokens=least) as server:
        own = {"first_seconds": 2.0, "tool_seconds": 0.1, "retries": 0} | rules
        tools = [tool_from(function) for function in (order_status, broken, impatient, slow, hangs)]
        dialog = ClaudeDialog(ClaudeRules(model=MODEL, **own), tools, api_key=KEY, base_url=server.url)
        told = Told()
        own_desk = Desk(dialog, dialog.converse(CALL, told), server, told.used, told.unanswered)
        assert [step async for step in own_desk.talk.greet()]
        yield own_desk
        await dialog.aclose()


def words(steps: Sequence[Step]) -> list[str]:
    return [step.text for step in steps if isinstance(step, Say)]


async def test_an_answer_comes_a_sentence_at_a_time_while_it_is_being_written() -> None:
    async with desk(Speaks("Добрий день! Який розмір вам потрібен? Чекаю ще.", hangs_after=7)) as own:
        answer = own.talk.answer(CallerSaid(text="шини", language_code="uk-UA"))
        assert [await anext(answer), await anext(answer)] == [
            Say(text="Добрий день!", language_code="uk-UA"),
            Say(text="Який розмір вам потрібен?", language_code="uk-UA"),
        ]
        await answer.aclose()


async def test_usage_is_the_last_figure_of_the_api_not_the_sum_of_them() -> None:
    async with desk(Speaks("Так, є.")) as own:
        await own.says("шини")
        (used,) = own.used
        said = own.server.usages[0]
        assert used.outcome == "ok"
        assert used.output_tokens == 20 + len("Так, є.") // 4
        assert used.input_tokens == said["input_tokens"]
        assert used.cache_write_tokens == said["cache_creation_input_tokens"]


async def test_every_request_reads_from_the_cache_what_the_one_before_wrote() -> None:
    async with desk(Speaks("Так.")) as own:
        for turn in range(6):
            await own.says(f"питання {turn}")
        prompts = [u.input_tokens + u.cache_read_tokens + u.cache_write_tokens for u in own.used]
        # cost.md 2: with a moving breakpoint, cold: write = P_T, read = the sum of all P before it.
        assert sum(u.cache_write_tokens for u in own.used) == prompts[-1]
        assert [u.cache_read_tokens for u in own.used] == [0, *prompts[:-1]]
        assert sum(u.input_tokens for u in own.used) == 0


async def test_the_tool_using_example_is_cached_as_the_formula_says() -> None:
    price = Calls("tyre_price", {"width": 205, "profile": 55, "rim": 16, "season": "winter"}, "Дивлюся. ")
    answers: list[Answer] = [
        Speaks("Який розмір?"),
        price,
        Speaks("3200 гривень."),
        Speaks("Так."),
        price,
        Speaks("Так."),
    ]
    async with AnthropicServer(answers) as server:
        tools = tools_in(Path(__file__).parents[2] / "examples" / "dialog" / "tools.py")
        dialog = ClaudeDialog(ClaudeRules(model=MODEL), tools, api_key=KEY, base_url=server.url)
        told = Told()
        talk = dialog.converse(CALL, told)
        assert [step async for step in talk.greet()]
        for said in ("потрібні шини", "двісті п'ять, п'ятдесят п'ять, шістнадцять", "дякую", "а ще раз?"):
            assert [step async for step in talk.answer(CallerSaid(text=said, language_code="uk-UA"))]
        await dialog.aclose()
    used = told.used
    requests = tuple(
        Request(
            prompt_tokens=u.input_tokens + u.cache_read_tokens + u.cache_write_tokens,
            output_tokens=u.output_tokens,
        )
        for u in used
    )
    expected = buckets(requests, caching="moving", prefix_tokens=0)
    assert len(used) == 6
    assert [(u.input_tokens, u.cache_read_tokens, u.cache_write_tokens) for u in used] == [
        (tokens.input_tokens, tokens.cache_read_tokens, tokens.cache_write_tokens) for tokens in expected
    ]


async def test_a_prefix_below_the_minimum_is_not_cached_and_nobody_is_told_by_the_api() -> None:
    async with desk(Speaks("Так."), least=100_000) as own:
        await own.says("шини")
        await own.says("так")
        assert [u.cache_read_tokens + u.cache_write_tokens for u in own.used] == [0, 0]


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
    async with desk(Calls(name, arguments), Speaks("Вибачте.")) as own:
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


async def test_an_interrupted_answer_is_paid_for_and_the_model_is_told_what_was_heard() -> None:
    async with desk(
        Speaks("Перше речення. Друге речення триває довго.", hangs_after=4), Speaks("Так.")
    ) as own:
        answer = own.talk.answer(CallerSaid(text="шини", language_code="uk-UA"))
        await anext(answer)
        await answer.aclose()
        own.talk.interrupted("Перше")
        (used,) = own.used
        assert used.outcome == "aborted"
        assert used.output_tokens >= len("Перше речення. ") / 2.4 - 1
        await own.says("ні, зачекайте")
        texts = [m["content"][0]["text"] for m in own.server.requests[1]["messages"]]
        assert texts[-3:] == ["шини", "Перше [interrupted by the caller]", "ні, зачекайте"]


async def test_an_answer_of_which_nothing_was_heard_has_not_taken_place() -> None:
    async with desk(Speaks("Так.")) as own:
        await own.says("шини")
        own.talk.interrupted("")
        await own.says("шини зимові")
        texts = [m["content"][0]["text"] for m in own.server.requests[1]["messages"]]
        assert texts[2:] == ["шини зимові"]


async def test_interrupting_our_question_into_silence_leaves_the_answer_before_it_as_it_was() -> None:
    async with desk(Speaks("Який розмір?")) as own:
        await own.says("шини")
        for heard in ("Ви ще", ""):
            await own.says(CallerSilent(times=1))
            own.talk.interrupted(heard)
        await own.says("двісті п'ять")
        texts = [m["content"][0]["text"] for m in own.server.requests[1]["messages"]]
        assert texts[2:] == ["шини", "Який розмір?", "двісті п'ять"]


async def test_what_a_tool_has_done_is_kept_when_the_caller_interrupts() -> None:
    async with desk(Calls("order_status", {"number": "1"}), Speaks("Готове."), Speaks("Так.")) as own:
        await own.says("замовлення 1")
        own.talk.interrupted("")
        await own.says("алло")
        kinds = [m["content"][0]["type"] for m in own.server.requests[2]["messages"]]
        assert "tool_result" in kinds


@pytest.mark.parametrize(
    ("status", "error_type", "is_permanent"),
    [
        (429, "overloaded", False),
        (529, "overloaded", False),
        (500, "stream", False),
        (401, "authentication", True),
        (403, "authentication", True),
        (404, "request", True),
        (400, "request", True),
    ],
)
async def test_a_refusal_says_whether_to_ask_again(status: int, error_type: str, is_permanent: bool) -> None:
    async with desk(Refuses(status)) as own:
        with pytest.raises(DialogError) as refused:
            await own.says("шини")
        assert (refused.value.error_type, refused.value.is_permanent) == (error_type, is_permanent)
        assert own.used == []


async def test_an_overloaded_api_is_asked_again_before_the_caller_hears_of_it() -> None:
    async with desk(Refuses(529, "overloaded_error"), Speaks("Так."), retries=2) as own:
        assert words(await own.says("шини")) == ["Так."]


async def test_a_stream_that_breaks_off_is_an_error_and_paid_for() -> None:
    async with desk(Speaks("Перше. Друге тут", breaks_after=2)) as own:
        with pytest.raises(DialogError, match="broke off"):
            await own.says("шини")
        assert [used.outcome for used in own.used] == ["aborted"]


async def test_an_api_that_is_silent_is_a_time_out() -> None:
    async with desk(Speaks("Так.", after_seconds=5), first_seconds=0.3) as own:
        with pytest.raises(DialogError) as late:
            await own.says("шини")
        assert late.value.error_type == "timeout"


async def test_an_answer_without_words_is_an_error() -> None:
    async with desk(Speaks("")) as own:
        with pytest.raises(DialogError, match="without words"):
            await own.says("шини")


async def test_a_long_call_is_told_in_short() -> None:
    async with desk(Speaks("Так, звісно."), longest_history=200) as own:
        for turn in range(12):
            await own.says(f"довге запитання номер {turn}")
            await own.summed_up()
        assert own.talk.history.messages[0]["content"][0]["text"].startswith("[Summary")
        assert len(own.talk.history.messages) <= 14
        assert len(own.used) > 12


async def test_an_interrupted_turn_takes_no_more_than_itself_from_a_call_that_was_told_in_short() -> None:
    async with desk(Speaks("Так, звісно."), longest_history=200) as own:
        for turn in range(12):
            await own.says(f"довге запитання номер {turn}")
            await own.summed_up()
            if own.talk.history.messages[0]["content"][0]["text"].startswith("[Summary"):
                break
        before = list(own.talk.history.messages)
        own.talk.interrupted("")
        assert own.talk.history.messages == before[:-2]


async def test_a_summary_without_words_replaces_nothing() -> None:
    async with desk(*[Speaks("Так.")] * 5, Speaks(""), longest_history=0) as own:
        first = own.talk.history.messages[0]
        for turn in range(5):
            await own.says(f"запитання номер {turn}")
            await own.summed_up()
        assert len(own.used) == 6
        assert own.talk.history.messages[0] == first


async def test_a_summary_that_takes_too_long_is_given_up_and_the_turns_stay() -> None:
    slow = Speaks("Коротко.", after_seconds=1)
    async with desk(*[Speaks("Так.")] * 5, slow, longest_history=0, summary_seconds=0.2) as own:
        for turn in range(5):
            await own.says(f"запитання номер {turn}")
        before = list(own.talk.history.messages)
        await own.summed_up()
        assert own.talk.history.messages == before
        assert len(own.used) == 5
        await own.dialog.settled()
        assert len(own.used) == 6  # it is paid for


async def test_an_answer_does_not_wait_for_a_summary_which_ends_with_the_call() -> None:
    slow = Speaks("Коротко.", after_seconds=1)
    async with desk(*[Speaks("Так.")] * 5, slow, longest_history=0) as own:
        for turn in range(5):
            assert words(await own.says(f"запитання номер {turn}")) == ["Так."]
        summary = own.talk.summing_up
        assert summary is not None
        assert not summary.done()
        own.talk.close()
        with pytest.raises(asyncio.CancelledError):
            await summary


async def test_a_silent_caller_costs_no_tokens_and_a_key_goes_to_no_model() -> None:
    async with desk(Speaks("Так.")) as own:
        assert words(await own.says(CallerSilent(times=1)))
        assert isinstance((await own.says(CallerSilent(times=3)))[-1], Leave)
        assert await own.says(CallerPressed(digit="7")) == []
        assert isinstance((await own.says(CallerPressed(digit="0")))[-1], Leave)
        assert own.server.requests == []


async def test_a_wrong_key_and_an_unknown_model_are_said_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AnthropicServer([Speaks("Так.")]) as server:
        good = ClaudeDialog(ClaudeRules(model=MODEL), api_key=KEY, base_url=server.url)
        await good.start()
        await good.aclose()
        for model, key, says in ((MODEL, "wrong", "key was refused"), ("unknown", KEY, "model was refused")):
            dialog = ClaudeDialog(ClaudeRules(model=model, retries=0), api_key=key, base_url=server.url)
            with pytest.raises(DialogError, match=says):
                await dialog.start()
            await dialog.aclose()
        monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
        with pytest.raises(DialogError, match="ANTHROPIC_API_KEY"):
            await ClaudeDialog(ClaudeRules(model=MODEL, retries=0), base_url=server.url).start()


async def test_a_prefix_that_is_too_short_to_be_cached_is_said_at_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    async with AnthropicServer([Speaks("Так.")]) as server:
        for least, level in ((100_000, "WARNING"), (10, "INFO"), (None, "INFO")):
            rules = ClaudeRules(model=MODEL, least_cached_tokens=least)
            dialog = ClaudeDialog(rules, api_key=KEY, base_url=server.url)
            await dialog.start()
            await dialog.aclose()
            found = [record for record in caplog.records if record.message == "prompt_prefix"][-1]
            assert found.levelname == level


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
