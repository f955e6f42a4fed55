"""What was measured of real Whisper servers, and its Markdown: see `bench/whisper_servers.py`. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from slukh.conformance.report import TWICE, percentile

HEADINGS: Final = (
    "server", "n", "ours p50, p95", "plain p50, p95", "ratio p50, p95", "added p50, p95", "interims",
    "clips with", "first p50, p95", "revised",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Interims:
    """What callers see before the final.

    Attributes:
        per_clip: on average.
        firsts: seconds from the beginning of the voice to the first one, of each clip that had one.
        clips: that were played.
        revised: words that a later text changed, a share of all.
        is_eager: asked for although the server is slower than calls would ask.
    """

    per_clip: float
    firsts: tuple[float, ...]
    clips: int
    revised: float | None
    is_eager: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """So many callers at once; seconds from the end of their audio to their final."""

    callers: int
    lost: int
    doubled: int
    not_understood: int
    with_interims: int
    p50: float
    p95: float
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One server; seconds from the end of the audio to the final.

    Attributes:
        server: its name and version.
        ours: through Slukh.
        plain: through the plain client.
        paired: of ours, the clips that the plain client said too.
        added: of ours, what was not the server's.
        interims: of ours.
        crowd: more and more callers.
        lost: errors of clips that ours got no final for.
        minutes: that it took.
        failed: why there is no more.
    """

    server: str
    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    paired: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)
    interims: Interims | None = None
    crowd: list[Crowd] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    minutes: float = 0.0
    failed: str = ""

    def summary(self) -> dict[str, object]:
        """What the tables say, and all that it was made of."""
        figures = {} if not self.ours or not self.plain else {
            "ours_p50": p(self.ours, 0.5), "ours_p95": p(self.ours, 0.95), "plain_p50": p(self.plain, 0.5),
            "plain_p95": p(self.plain, 0.95), "ratio_p50": ratio(self, 0.5), "ratio_p95": ratio(self, 0.95),
            "added_p50": p(self.added, 0.5), "added_p95": p(self.added, 0.95),
            "degrades_first": degrades_first(self.crowd),
        }  # fmt: skip
        return {**figures, **asdict(self)}


def p(values: Sequence[float], share: float) -> float:
    """A percentile."""
    return percentile(sorted(values), share)


def ratio(row: Row, share: float) -> float:
    """Ours to the plain one's, of the same clips."""
    return p(row.paired, share) / p(row.plain, share)


def degrades_first(crowds: Sequence[Crowd]) -> str:
    """What is worse than for one caller, in the order in which it gets so."""
    if not crowds:
        return ""
    alone = crowds[0]
    signs: dict[str, Callable[[Crowd], bool]] = {
        "finals wait twice as long": lambda c: c.p95 >= TWICE * alone.p95,
        "interims stop for some": lambda c: c.with_interims / c.callers < alone.with_interims / alone.callers,
        "words are wrong for some": lambda c: c.not_understood > 0,
        "finals are lost": lambda c: c.lost > 0,
    }
    found = []
    for sign, is_worse in signs.items():
        at = next((c.callers for c in crowds[1:] if is_worse(c)), None)
        if at is not None:
            found.append((at, f"{sign} from {at} callers on"))
    return "; ".join(text for _, text in sorted(found, key=lambda each: each[0])) or "nothing"


def tables(rows: Sequence[Row]) -> str:
    """Markdown, for doc/benchmarks.md."""
    minutes = ", ".join(f"{row.server} {row.minutes:.1f}" for row in rows)
    return "\n".join(
        [
            *_table(HEADINGS, [_cells(row) for row in rows]),
            "",
            "\\* asked for although the server is too slow for them: calls would have none.",
            "",
            *_crowds([row for row in rows if row.crowd]),
            "",
            f"Minutes: {minutes}.",
        ]
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(cells)} |" for cells in (headings, *rows)]
    return [lines[0], "|" + "---|" * len(headings), *lines[1:]]


def _cells(row: Row) -> list[str]:
    if not row.ours or not row.plain:
        return [row.server, "0", row.failed, *[""] * (len(HEADINGS) - 3)]
    return [
        f"{row.server} ({row.failed})" if row.failed else row.server,
        f"{len(row.ours)}{f', {len(row.lost)} lost' if row.lost else ''}",
        f"{p(row.ours, 0.5):.2f}, {p(row.ours, 0.95):.2f} s",
        f"{p(row.plain, 0.5):.2f}, {p(row.plain, 0.95):.2f} s",
        f"{ratio(row, 0.5):.2f}, {ratio(row, 0.95):.2f}",
        f"{p(row.added, 0.5) * 1000:.0f}, {p(row.added, 0.95) * 1000:.0f} ms",
        *_interims(row.interims),
    ]


def _interims(told: Interims | None) -> tuple[str, str, str, str]:
    if told is None:
        return "none", "", "", ""
    return (
        f"{told.per_clip:.1f}{' *' if told.is_eager else ''}",
        f"{len(told.firsts)} of {told.clips}",
        f"{p(told.firsts, 0.5):.1f}, {p(told.firsts, 0.95):.1f} s",
        "" if told.revised is None else f"{told.revised:.0%}",
    )


def _crowds(rows: Sequence[Row]) -> list[str]:
    steps = sorted({one.callers for row in rows for one in row.crowd})
    headings = [
        "server",
        *(f"{n} at once: p50, p95" for n in steps),
        "lost",
        "doubled",
        "not understood",
        "errors",
        "goes first",
    ]
    cells = []
    for row in rows:
        waits = {one.callers: f"{one.p50:.1f}, {one.p95:.1f} s" for one in row.crowd}
        errors = sorted({error for one in row.crowd for error in one.errors})
        cells.append(
            [
                row.server,
                *(waits.get(n, "") for n in steps),
                str(sum(one.lost for one in row.crowd)),
                str(sum(one.doubled for one in row.crowd)),
                str(sum(one.not_understood for one in row.crowd)),
                ", ".join(errors) or "none",
                degrades_first(row.crowd),
            ]
        )
    return _table(headings, cells)
