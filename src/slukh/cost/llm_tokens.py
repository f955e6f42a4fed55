"""Tokens of a conversation: the history is sent again with every request, so the bill is quadratic in turns.

A turn is: the caller says u tokens, the model answers a tokens. Every request carries the prefix (system
prompt and tools), all turns so far and the new words. A tool call is a request more: the model's call and the
tool's result join the history and the model is asked again.
"""

from dataclasses import dataclass
from typing import Literal

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
        raise NotImplementedError


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

    Args:
        requests: in order.
        caching: `static` caches the prefix only; `moving` all of every prompt, so that the next one reads it.
        prefix_tokens: length of the prefix.
        warm: the prefix was cached by an earlier call.
        one_hour: entries live an hour instead of 5 minutes (written at twice the input price).
        minimum_prefix_tokens: the model caches nothing shorter than this, and says nothing about it.
    """
    raise NotImplementedError
