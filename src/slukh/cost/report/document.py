"""The report from its first line to its last, as blocks."""

from slukh.cost.report.advice import person, recommendations, waterfall
from slukh.cost.report.costs import break_even, breakdown, hearing
from slukh.cost.report.doubts import distribution, swings
from slukh.cost.report.findings import Findings
from slukh.cost.report.origins import limits, origins
from slukh.cost.report.summary import summary
from slukh.cost.wording import Wording
from slukh.report.blocks import Block

# In the order in which an owner asks.
SECTIONS = (
    summary, breakdown, hearing, break_even, waterfall, swings, distribution, person, recommendations,
    origins, limits,
)  # fmt: skip


def document(found: Findings, words: Wording) -> tuple[Block, ...]:
    """All blocks."""
    return tuple(block for section in SECTIONS for block in section(found, words))
