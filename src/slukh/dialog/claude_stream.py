"""One request to Claude: its events in, text as it comes, and in the end its blocks and what it used.

Usage in a stream is cumulative: `message_start` has the prompt's buckets and a placeholder for the output,
every `message_delta` the output so far, so a later figure replaces an earlier one. A stream that is given
up has no last figure; what had come of its text is counted then, at Ukrainian's rate.

Source: Anthropic's documentation of streaming messages; 2.7 tokens for a Ukrainian word of 6.5 characters,
arXiv 2605.24718.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from anthropic.types import (
    InputJSONDelta,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStreamEvent,
    TextBlock,
    TextDelta,
    ToolUseBlock,
)

CHARACTERS_PER_TOKEN: Final = 2.4


@dataclass(slots=True)
class AnswerSoFar:
    """What has come of one answer.

    Attributes:
        model: which answered, as the API names it.
        stop_reason: why it ended, once it has.
        input_tokens: neither read from the cache nor written to it.
        output_tokens: by the API's last word.
        cache_read_tokens: of the prompt.
        cache_write_tokens: of the prompt.
        blocks: text and requests for tools, as the API takes them back.
    """

    model: str = ""
    stop_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    blocks: list[dict[str, Any]] = field(default_factory=list)
    _json: dict[int, str] = field(default_factory=dict)

    def take(self, event: RawMessageStreamEvent) -> str:
        """The text that an event brings, if any."""
        match event:
            case RawMessageStartEvent(message=message):
                self.model = message.model
                self.count(message.usage)
            case RawContentBlockStartEvent(content_block=TextBlock(text=text)):
                self.blocks.append({"type": "text", "text": text})
                return text
            case RawContentBlockStartEvent(content_block=ToolUseBlock(id=own_id, name=name)):
                self.blocks.append({"type": "tool_use", "id": own_id, "name": name, "input": {}})
                self._json[len(self.blocks) - 1] = ""
            case RawContentBlockDeltaEvent(delta=TextDelta(text=text)):
                self.blocks[-1]["text"] += text
                return text
            case RawContentBlockDeltaEvent(delta=InputJSONDelta(partial_json=part)):
                self._json[len(self.blocks) - 1] += part
            case RawMessageDeltaEvent(delta=delta, usage=usage):
                self.stop_reason = delta.stop_reason
                self.count(usage)
        return ""

    def whole_blocks(self) -> list[dict[str, Any]]:
        """The blocks with their arguments read; empty texts, which the API would not take back, left out."""
        for number, text in self._json.items():
            try:
                self.blocks[number]["input"] = json.loads(text or "{}")
            except ValueError:
                self.blocks[number]["input"] = {}
        return [block for block in self.blocks if block.get("text") or block["type"] != "text"]

    def least_output_tokens(self) -> int:
        """Output that is certain to be billed when the answer was given up."""
        characters = self.text_characters + sum(map(len, self._json.values()))
        return max(self.output_tokens, round(characters / CHARACTERS_PER_TOKEN))

    @property
    def text_characters(self) -> int:
        """Of the words that came."""
        return sum(len(block.get("text", "")) for block in self.blocks)

    def text_tokens(self, output_tokens: int) -> int:
        """Of so much output, the words: by characters, what is left are arguments of tools."""
        characters = self.text_characters + sum(map(len, self._json.values()))
        return output_tokens * self.text_characters // characters if characters else 0

    def bucket(self) -> dict[Literal["input_tokens", "cache_read_tokens", "cache_write_tokens"], int]:
        """The prompt's buckets."""
        return {
            "input_tokens": self.input_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
        }

    def count(self, usage: Any) -> None:  # noqa: ANN401  # Usage or MessageDeltaUsage: the same names
        """A later figure replaces an earlier one; what is not said stays."""
        for own, name in (
            ("input_tokens", "input_tokens"),
            ("output_tokens", "output_tokens"),
            ("cache_read_tokens", "cache_read_input_tokens"),
            ("cache_write_tokens", "cache_creation_input_tokens"),
        ):
            if (value := getattr(usage, name, None)) is not None:
                setattr(self, own, value)
