"""A report as one page of HTML: styles and plots inside, nothing fetched, for a phone, paper and the dark."""

import re
from collections.abc import Callable, Iterable, Iterator
from html import escape
from importlib.resources import files

from slukh.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table

_STYLE = files("slukh.report").joinpath("page.css")
# Above this many characters a cell is prose, and may be broken.
_PROSE = 28


def page(blocks: Iterable[Block], *, language: str, picture: Callable[[str], str]) -> str:
    """The page.

    Args:
        blocks: of the report.
        language: of its texts, for hyphenation and screen readers.
        picture: a plot's name to its `<svg>`.
    """
    blocks = tuple(blocks)
    title = next(block.text for block in blocks if isinstance(block, Heading))
    body = "\n".join(part for block, name in _named(blocks) for part in _parts(block, name, picture))
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _named(blocks: Iterable[Block]) -> Iterator[tuple[Block, str]]:
    """Each block with the heading that it stands under."""
    name = ""
    for block in blocks:
        if isinstance(block, Heading):
            name = _plain(block.text)
        yield block, name


def _parts(block: Block, name: str, picture: Callable[[str], str]) -> Iterator[str]:
    match block:
        case Heading():
            yield f"<h{block.level}>{_inline(block.text)}</h{block.level}>"
        case Paragraph():
            yield f"<p>{_inline(block.text)}</p>"
        case Bullets():
            items = "\n".join(f"<li>{_inline(item)}</li>" for item in block.items)
            yield f"<ul>\n{items}\n</ul>"
        case Table():
            yield _table(block, name)
        case Figure():
            caption = f"<figcaption>{_inline(block.caption)}</figcaption>"
            yield f"<figure>\n{picture(block.name)}\n{caption}\n</figure>"


def _table(table: Table, name: str) -> str:
    head = "".join(
        f'<th scope="col"{_kind(number, table, "")}>{_inline(cell)}</th>'
        for number, cell in enumerate(table.head)
    )
    rows = []
    for index, row in enumerate(table.rows):
        cells = "".join(
            f"<td{_kind(number, table, cell)}>{_inline(cell)}</td>" for number, cell in enumerate(row)
        )
        rows.append(f"<tr{' class=total' if index in table.totals else ''}>{cells}</tr>")
    body = "\n".join(rows)
    # A table wider than a phone scrolls on its own; by keyboard, too.
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(name)}">\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _kind(number: int, table: Table, cell: str) -> str:
    if table.is_number(number):
        return ' class="n"'
    return ' class="prose"' if len(cell) > _PROSE else ""


def _plain(text: str) -> str:
    return re.sub(r"[*`]", "", text)


def _inline(text: str) -> str:
    """Escaped, with the two marks that texts may have; long unbroken words may be broken at slashes."""
    text = escape(text, quote=False)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"(https?://[^\s<]+)", lambda found: found[0].replace("/", "/<wbr>"), text)
