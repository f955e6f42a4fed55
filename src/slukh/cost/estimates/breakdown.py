"""What a call costs, part by part, with the three ways of hearing side by side."""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Literal

Column = Literal["google", "google_gated", "whisper"]
COLUMNS: tuple[Column, ...] = ("google", "google_gated", "whisper")
COLUMN_TITLES: dict[Column, str] = {
    "google": "Google, whole call",
    "google_gated": "Google, speech only",
    "whisper": "Whisper",
}
# Money in reports and JSON: pico-dollars, as the ledger has them.
_PICO = Decimal("1e-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Dollars of a call, or of many.

    Attributes:
        stt_google: the recogniser listens to the whole call.
        stt_google_gated: it gets speech only, one stream per utterance.
        stt_whisper: GPUs, idle hours and all, or a service that runs Whisper.
        tts: the voice.
        llm: the answering model.
        line: the telephone line's minutes.
        fixed: servers and numbers, paid by the calendar.
    """

    stt_google: Decimal
    stt_google_gated: Decimal
    stt_whisper: Decimal
    tts: Decimal
    llm: Decimal
    line: Decimal
    fixed: Decimal

    @property
    def infrastructure(self) -> Decimal:
        """Line and servers; GPUs of Whisper are never in it."""
        return self.line + self.fixed

    def stt(self, column: Column) -> Decimal:
        """Hearing, one of the three ways."""
        return {
            "google": self.stt_google,
            "google_gated": self.stt_google_gated,
            "whisper": self.stt_whisper,
        }[column]

    def total(self, column: Column) -> Decimal:
        """Everything, hearing one of the three ways."""
        return self.stt(column) + self.tts + self.llm + self.infrastructure

    def shares(self, column: Column) -> dict[str, Decimal]:
        """Shares of the total, adding up to 1."""
        total = self.total(column)
        parts = {
            "stt": self.stt(column),
            "llm": self.llm,
            "tts": self.tts,
            "line": self.line,
            "fixed": self.fixed,
        }
        return {name: part / total if total else Decimal(0) for name, part in parts.items()}

    def times(self, number: int) -> "Breakdown":
        """Of so many calls."""
        return Breakdown(**{f.name: getattr(self, f.name) * number for f in fields(self)})

    def as_json(self) -> dict[str, str]:
        """Decimals as strings."""
        return {
            "stt_google": money(self.stt_google),
            "stt_whisper": money(self.stt_whisper),
            "tts": money(self.tts),
            "llm": money(self.llm),
            "infrastructure": money(self.infrastructure),
            "total_google": money(self.total("google")),
            "total_whisper": money(self.total("whisper")),
            "stt_google_gated": money(self.stt_google_gated),
            "total_google_gated": money(self.total("google_gated")),
            "line": money(self.line),
            "fixed": money(self.fixed),
        }


def money(amount: Decimal) -> str:
    """An amount as text: exact to the pico-dollar, at least cents, no exponent."""
    whole, _, part = f"{amount.quantize(_PICO):f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"
