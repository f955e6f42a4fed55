"""Tokens of a conversation: every prompt token is in exactly one bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slukh.cost.pricing.llm_tokens import Caching, Conversation, Request, TokenBuckets, buckets
from slukh.types import TOKEN_UNITS

CACHINGS: tuple[Caching, ...] = ("none", "static", "moving")
CONVERSATIONS = st.builds(
    Conversation,
    turns=st.integers(1, 12),
    prefix_tokens=st.integers(0, 5000),
    user_tokens=st.integers(0, 200),
    answer_tokens=st.integers(0, 200),
    tool_turns=st.lists(st.integers(1, 12), max_size=5).map(tuple),
    tool_call_tokens=st.just(30),
    tool_result_tokens=st.just(100),
)


@given(
    call=CONVERSATIONS,
    caching=st.sampled_from(CACHINGS),
    minimum=st.sampled_from([0, 1024, 4096]),
    switches=st.tuples(st.booleans(), st.booleans()),
)
def test_the_buckets_of_a_request_are_its_prompt(
    call: Conversation, caching: Caching, minimum: int, switches: tuple[bool, bool]
) -> None:
    warm, one_hour = switches
    made = buckets(
        call.requests(),
        caching=caching,
        prefix_tokens=call.prefix_tokens,
        warm=warm,
        one_hour=one_hour,
        minimum_prefix_tokens=minimum,
    )
    assert [b.prompt_tokens for b in made] == [r.prompt_tokens for r in call.requests()]
    assert [b.output_tokens for b in made] == [r.output_tokens for r in call.requests()]
    assert all(getattr(b, unit) >= 0 for b in made for unit in TOKEN_UNITS)


@given(call=CONVERSATIONS)
def test_what_a_moving_cache_reads_is_what_it_wrote(call: Conversation) -> None:
    requests = call.requests()
    made = buckets(requests, caching="moving", prefix_tokens=call.prefix_tokens)
    assert sum(b.cache_write_tokens for b in made) == requests[-1].prompt_tokens
    assert sum(b.cache_read_tokens for b in made) == sum(r.prompt_tokens for r in requests[:-1])


def test_a_prompt_below_the_minimum_is_not_cached_and_nobody_says_so() -> None:
    requests = tuple(Request(prompt_tokens=n, output_tokens=80) for n in (2_060, 2_200))
    made = buckets(requests, caching="moving", prefix_tokens=2_000, minimum_prefix_tokens=4_096)
    assert [b.input_tokens for b in made] == [2_060, 2_200]


def test_a_prefix_below_the_minimum_is_not_warm_either() -> None:
    [made] = buckets(
        (Request(prompt_tokens=4_200, output_tokens=80),),
        caching="moving",
        prefix_tokens=2_000,
        warm=True,
        minimum_prefix_tokens=4_096,
    )
    assert (made.cache_read_tokens, made.cache_write_tokens) == (0, 4_200)


def test_a_conversation_is_cached_from_the_request_on_that_is_long_enough() -> None:
    requests = tuple(Request(prompt_tokens=n, output_tokens=80) for n in (4_000, 4_200, 4_400))
    made = buckets(requests, caching="moving", prefix_tokens=3_900, minimum_prefix_tokens=4_096)
    assert [(b.input_tokens, b.cache_write_tokens, b.cache_read_tokens) for b in made] == [
        (4_000, 0, 0),
        (0, 4_200, 0),
        (0, 200, 4_200),
    ]


def test_an_hour_long_cache_has_its_own_bucket() -> None:
    [made] = buckets(
        (Request(prompt_tokens=2_060, output_tokens=80),),
        caching="static",
        prefix_tokens=2_000,
        one_hour=True,
    )
    assert made == TokenBuckets(input_tokens=60, cache_write_1h_tokens=2_000, output_tokens=80)


@pytest.mark.parametrize("caching", CACHINGS)
def test_a_turn_with_two_tools_asks_three_times(caching: Caching) -> None:
    call = Conversation(
        turns=1,
        prefix_tokens=100,
        user_tokens=10,
        answer_tokens=5,
        tool_turns=(1, 1),
        tool_call_tokens=3,
        tool_result_tokens=20,
    )
    assert [r.prompt_tokens for r in call.requests()] == [110, 133, 156]
    assert len(buckets(call.requests(), caching=caching, prefix_tokens=100)) == 3
