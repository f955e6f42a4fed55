"""Claude answers (`Dialog`): what is known beforehand, and a conversation for each call."""

from collections.abc import Sequence

from slukh.dialog.base import Used
from slukh.dialog.claude_client import ClaudeClient, ClaudeRules
from slukh.dialog.claude_conversation import ClaudeConversation
from slukh.dialog.claude_lines import GOODBYES, GREETINGS, STILL_THERE
from slukh.tts.base import SpeechRequest
from slukh.types import CallStarted

__all__ = ["ClaudeConversation", "ClaudeDialog", "ClaudeRules"]


class ClaudeDialog(ClaudeClient):
    """A `Dialog` with Claude; made as its client is."""

    @property
    def templates(self) -> Sequence[str]:
        """Nobody knows beforehand what it says."""
        return ()

    def phrases(self) -> list[SpeechRequest]:
        """What is said without asking it."""
        return [
            SpeechRequest(text=text, language_code=code)
            for lines in (GREETINGS, STILL_THERE, GOODBYES)
            for code, text in lines.items()
        ]

    def converse(self, call: CallStarted, used: Used) -> ClaudeConversation:
        """The conversation of a call."""
        return ClaudeConversation(self, call, used)
