"""What a model is sent of a call: the turns so far, kept short, with the places to cache marked. Pure.

The prompt only grows at its end, so with a breakpoint on its last block every request reads what the one
before it wrote (a moving breakpoint); the system prompt and the tools, which all calls share, have their own.
A prefix that is shorter than the model's minimum is silently not cached.
"""

import copy
from dataclasses import dataclass, field
from typing import Any, Final

Message = dict[str, Any]

CACHE: Final = {"type": "ephemeral"}
# Turns that stay as they were said when the rest is summed up.
_KEPT: Final = 4


@dataclass(slots=True)
class History:
    """The turns of one call.

    Attributes:
        messages: as the API takes them, without marks.
    """

    messages: list[Message] = field(default_factory=list)
    _turn_began: int = 0

    def caller(self, text: str) -> None:
        """A turn of the caller's begins."""
        self._turn_began = len(self.messages)
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})

    def answered(self, blocks: list[dict[str, Any]]) -> None:
        """The model's own words and requests for tools."""
        if blocks:
            self.messages.append({"role": "assistant", "content": blocks})

    def tool_results(self, blocks: list[dict[str, Any]]) -> None:
        """What the tools it asked for say; a block of one that still runs is written to when it is done."""
        self.messages.append({"role": "user", "content": blocks})

    def interrupted(self, heard: str) -> None:
        """The answer of this turn was cut off; these of its words were heard.

        What tools have done stays, or the model would have it done again. When nothing was heard and nothing
        done, the turn has not taken place.
        """
        has_done = any(_has(message, "tool_result") for message in self.messages[self._turn_began :])
        if not heard and not has_done:
            del self.messages[self._turn_began :]
            return
        last = self.messages[-1]
        if last["role"] == "assistant":
            self.messages.pop()
        said = f"{heard} [interrupted by the caller]" if heard else "[interrupted before a word was heard]"
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": said}]})

    def marked(self) -> list[Message]:
        """The messages with a breakpoint on their last block."""
        marked = copy.deepcopy(self.messages)
        if marked:
            marked[-1]["content"][-1]["cache_control"] = CACHE
        return marked

    @property
    def characters(self) -> int:
        """Of all its texts."""
        return sum(
            len(str(block.get("text") or block.get("content") or block.get("input") or ""))
            for message in self.messages
            for block in message["content"]
        )

    def to_sum_up(self) -> tuple[int, str] | None:
        """How many messages are old enough to be told in short, and their text; None while there is little.

        The kept turns are not among them, so no interruption takes any of them back meanwhile.
        """
        cut = self._cut()
        return None if cut == 0 else (cut, "\n".join(_line(message) for message in self.messages[:cut]))

    def summed_up(self, cut: int, summary: str) -> None:
        """That many messages are now this; turns may have come since they were counted."""
        text = f"[Summary of the call so far: {summary}]"
        self.messages[:cut] = [
            {"role": "user", "content": [{"type": "text", "text": text}]},
            {"role": "assistant", "content": [{"type": "text", "text": "…"}]},
        ]
        self._turn_began += 2 - cut

    def _cut(self) -> int:
        """The message that the kept turns begin with: never a tool's result without its request."""
        turns = [
            number
            for number, message in enumerate(self.messages)
            if message["role"] == "user" and not _has(message, "tool_result")
        ]
        return turns[-_KEPT] if len(turns) > _KEPT + 1 else 0


def tool_result(tool_use_id: str) -> dict[str, Any]:
    """The block of a tool that has just been started."""
    return {"type": "tool_result", "tool_use_id": tool_use_id, "content": "", "is_error": False}


def _has(message: Message, kind: str) -> bool:
    return any(block["type"] == kind for block in message["content"])


def _line(message: Message) -> str:
    who = "Caller" if message["role"] == "user" else "Agent"
    parts = [
        str(block.get("text") or block.get("content") or f"[{block.get('name')} {block.get('input')}]")
        for block in message["content"]
    ]
    return f"{who}: {' '.join(parts)}"
