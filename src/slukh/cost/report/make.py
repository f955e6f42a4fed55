"""A report's files: Markdown with its plots beside it, or one page of HTML."""

from slukh.cost.report.document import document
from slukh.cost.report.findings import Findings
from slukh.cost.wording import Language, wording
from slukh.report.blocks import Block, Figure
from slukh.report.markdown import markdown
from slukh.report.page import page


def markdown_text(found: Findings, language: Language) -> str:
    """The text alone, without plots."""
    return markdown(document(found, wording(language)), picture=None)


def markdown_files(found: Findings, language: Language, *, stem: str) -> dict[str, str]:
    """File names and contents: `STEM.md`, and `STEM.PLOT.svg` for each plot."""
    from slukh.report.svg import standalone

    blocks = document(found, wording(language))
    drawn = _drawn(found, language, blocks)
    names = {name: f"{stem}.{name}.svg" for name in drawn}
    text = markdown(blocks, picture=names.__getitem__)
    return {f"{stem}.md": text} | {names[name]: standalone(svg) for name, svg in drawn.items()}


def html_text(found: Findings, language: Language) -> str:
    """One page with everything in it."""
    blocks = document(found, wording(language))
    return page(blocks, language=language, picture=_drawn(found, language, blocks).__getitem__)


def _drawn(found: Findings, language: Language, blocks: tuple[Block, ...]) -> dict[str, str]:
    from slukh.cost.report.plots import plots
    from slukh.report.svg import inline

    captions = {block.name: block.caption for block in blocks if isinstance(block, Figure)}
    return {name: inline(figure, name, captions[name]) for name, figure in plots(found, wording(language))}
