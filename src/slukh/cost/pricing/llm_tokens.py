"""Tokens of a conversation: the history is sent again with every request, so the bill is quadratic in turns.

A turn is: the caller says u tokens, the model answers a tokens. Every request carries the prefix (system
prompt and tools), all turns so far and the new words. A tool call is a request more: the model's call and the
tool's result join the history and the model is asked again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from slukh.types import TOKEN_UNITS, UNANSWERED, Usage

Caching = Literal["none", "static", "moving"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request to the model: the length of its prompt and of its answer, in tokens."""

    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBuckets:
    """Disjoint: a prompt token is in exactly one of the first four.

    Attributes:
        input_tokens: neither read from a cache nor written to one.
        cache_read_tokens: read from a cache.
        cache_write_tokens: written to a cache for 5 minutes.
        cache_write_1h_tokens: written to a cache for an hour.
        output_tokens: the answer, thinking included.
    """

    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt: what a provider's long-prompt price looks at."""
        return (
            self.input_tokens + self.cache_read_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
        )

    def __add__(self, other: "TokenBuckets") -> "TokenBuckets":
        """Both together; good for a summary, not for rating, which is per request."""
        return TokenBuckets(**{unit: getattr(self, unit) + getattr(other, unit) for unit in TOKEN_UNITS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A call as the model sees it, in tokens.

    Attributes:
        turns: answers to the caller.
        prefix_tokens: system prompt and tools, the same in every request.
        user_tokens: what the caller says in a turn.
        answer_tokens: what the model answers in a turn.
        tool_turns: turns (from 1) in which the model calls one tool first; a turn named twice calls two.
        tool_call_tokens: output of such a call.
        tool_result_tokens: what the tool gave back.
    """

    turns: int
    prefix_tokens: int
    user_tokens: int
    answer_tokens: int
    tool_turns: tuple[int, ...] = ()
    tool_call_tokens: int = 0
    tool_result_tokens: int = 0

    def requests(self) -> tuple[Request, ...]:
        """Every request of the conversation, in order."""
        made: list[Request] = []
        prompt = self.prefix_tokens
        for turn in range(1, self.turns + 1):
            prompt += self.user_tokens
            for _ in range(self.tool_turns.count(turn)):
                made.append(Request(prompt_tokens=prompt, output_tokens=self.tool_call_tokens))
                prompt += self.tool_call_tokens + self.tool_result_tokens
            made.append(Request(prompt_tokens=prompt, output_tokens=self.answer_tokens))
            prompt += self.answer_tokens
        return tuple(made)


def buckets(
    requests: tuple[Request, ...],
    *,
    caching: Caching,
    prefix_tokens: int,
    warm: bool = False,
    one_hour: bool = False,
    minimum_prefix_tokens: int = 0,
) -> tuple[TokenBuckets, ...]:
    """What each request is billed for.

    A prompt that is shorter than the one before it is another one (turns were summed up, or taken back): it
    finds no more than the prefix.

    Args:
        requests: in order, each prompt going on from the one before it.
        caching: `static` caches the prefix only; `moving` all of every prompt, so that the next one reads it.
        prefix_tokens: length of the prefix.
        warm: the prefix was cached by an earlier call.
        one_hour: entries live an hour instead of 5 minutes (written at twice the input price).
        minimum_prefix_tokens: the model caches nothing shorter than this, and says nothing about it.
    """

    def cacheable(request: Request) -> int:
        length = {"none": 0, "static": prefix_tokens, "moving": request.prompt_tokens}[caching]
        return length if length >= minimum_prefix_tokens else 0

    kept_prefix = prefix_tokens if caching != "none" and prefix_tokens >= minimum_prefix_tokens else 0
    cached = [kept_prefix if warm else 0, *(cacheable(request) for request in requests)]
    made: list[TokenBuckets] = []
    for request, (left, after) in zip(requests, pairwise(cached), strict=True):
        before = left
        if before > request.prompt_tokens:
            before = kept_prefix if kept_prefix <= request.prompt_tokens else 0
        written = max(0, after - before)
        made.append(
            TokenBuckets(
                input_tokens=request.prompt_tokens - before - written,
                cache_read_tokens=before,
                cache_write_tokens=0 if one_hour else written,
                cache_write_1h_tokens=written if one_hour else 0,
                output_tokens=request.output_tokens,
            )
        )
    return tuple(made)


def tells_tokens(row: Usage) -> bool:
    """Whether it is a bucket of a request, and not one that tells of a request without figures."""
    return row.component == "llm" and row.outcome != UNANSWERED


def without_figures(rows: Iterable[Usage]) -> int:
    """How many requests never said what they used: they may be billed, and are in no amount."""
    return sum(row.component == "llm" and not tells_tokens(row) for row in rows)
