"""A verdict as a file: one page with everything in it."""

from slukh.experiment.report.intervals import intervals
from slukh.experiment.report.sections import document, with_bounds
from slukh.experiment.verdict import Verdict
from slukh.report.blocks import Figure
from slukh.report.page import page
from slukh.report.svg import inline


def html_text(found: Verdict, *, command: str) -> str:
    """The page. Needs matplotlib.

    Args:
        found: the verdict.
        command: that makes it again.
    """
    blocks = document(found, command=command)
    pictures = {
        block.name: inline(intervals(with_bounds(found)), block.name, block.caption)
        for block in blocks
        if isinstance(block, Figure)
    }
    return page(blocks, language="en", picture=pictures.__getitem__)
