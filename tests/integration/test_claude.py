"""Claude through its official client, against a local API that speaks Anthropic's own events."""

from pathlib import Path

import pytest
from tests.integration.claude_desk import CALL, MODEL, Told, desk, words

from slukh.cost.pricing.llm_tokens import Request, buckets
from slukh.dialog.base import CallerPressed, CallerSaid, CallerSilent, Leave, Say
from slukh.dialog.claude import ClaudeDialog, ClaudeRules
from slukh.dialog.tools import tools_in
from slukh.errors import DialogError
from slukh.testing.anthropic_server import KEY, Answer, AnthropicServer, Calls, Refuses, Speaks


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
