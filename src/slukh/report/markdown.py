"""A report as Markdown; plots are files beside it."""

from collections.abc import Callable, Iterable, Iterator

from slukh.report.blocks import Block, Bullets, Figure, Heading, Paragraph, Table


def markdown(blocks: Iterable[Block], *, picture: Callable[[str], str] | None) -> str:
    """The text.

    Args:
        blocks: of the report.
        picture: a plot's name to the file it stands in; None leaves plots out.
    """
    return "\n\n".join(part for block in blocks for part in _parts(block, picture)) + "\n"


def _parts(block: Block, picture: Callable[[str], str] | None) -> Iterator[str]:
    match block:
        case Heading():
            yield f"{'#' * block.level} {block.text}"
        case Paragraph():
            yield block.text
        case Bullets():
            yield "\n".join(f"- {item}" for item in block.items)
        case Table():
            yield _table(block)
        case Figure():
            if picture is not None:
                yield f"![{block.caption}]({picture(block.name)})"
                yield f"*{block.caption}*"


def _table(table: Table) -> str:
    marks = tuple("---:" if table.is_number(number) else "---" for number in range(len(table.head)))
    rows = [table.head, marks]
    for number, row in enumerate(table.rows):
        rows.append(tuple(f"**{c}**" if c else c for c in row) if number in table.totals else row)
    return "\n".join(_line(row) for row in rows)


def _line(cells: tuple[str, ...]) -> str:
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
