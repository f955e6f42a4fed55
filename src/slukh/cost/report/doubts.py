"""What the result hangs on, and how sure it is."""

from collections.abc import Iterator

from slukh.cost.estimates.uncertainty import Distribution, Swing
from slukh.cost.report.findings import Findings
from slukh.cost.wording import Wording
from slukh.report.blocks import Block, Figure, Heading, Paragraph, Table


def swings(found: Findings, words: Wording) -> Iterator[Block]:
    """One assumption at a time."""
    yield Heading(2, words.say("tornado.title"))
    yield Paragraph(words.say("tornado.intro"))
    yield Figure(name="tornado", caption=words.say("tornado.caption"))
    yield _swings(found.report.tornado, "tornado.cost", words)


def staff_swings(found: Findings, words: Wording) -> Table:
    """The same for the saving against a person."""
    return _swings(found.report.staff_tornado, "tornado.saving", words)


def _swings(found: tuple[Swing, ...], last: str, words: Wording) -> Table:
    return Table(
        head=tuple(
            words.say(key) for key in ("tornado.what", "tornado.from", "tornado.to", last, "tornado.end")
        ),
        rows=tuple(
            (
                words.range_title(swing.name),
                words.range_value(swing.name, swing.low_facts),
                words.range_value(swing.name, swing.high_facts),
                words.write(swing.low_usd, "usd4"),
                words.write(swing.high_usd, "usd4"),
            )
            for swing in found
        ),
    )


def distribution(found: Findings, words: Wording) -> Iterator[Block]:
    """All assumptions at a time, and calls as they differ."""
    yield Heading(2, words.say("distribution.title"))
    yield Paragraph(
        words.say(
            "distribution.intro",
            calls=found.report.calls.draws,
            draws=found.report.assumptions.draws,
            seed=str(found.report.calls.seed),
        )
    )
    yield Figure(name="distribution", caption=words.say("distribution.caption"))
    names = ("what", "plug-in", "mean", "p5", "p50", "p95", "below", "inside", "above")
    yield Table(
        head=tuple(words.say(f"distribution.{name}") for name in names),
        rows=tuple(
            _row(words.say(f"distribution.{name}"), drawn, words)
            for name, drawn in (("calls", found.report.calls), ("means", found.report.assumptions))
        ),
    )


def _row(name: str, drawn: Distribution, words: Wording) -> tuple[str, ...]:
    amounts = (drawn.plug_in, drawn.mean, drawn.p5, drawn.p50, drawn.p95)
    shares = (drawn.below, drawn.inside, drawn.above)
    return (
        name,
        *(words.write(amount, "usd4") for amount in amounts),
        *(words.write(share, "percent") for share in shares),
    )
