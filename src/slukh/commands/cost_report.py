"""`slukh cost report`: its options, and where what it makes goes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from slukh.errors import UserError

if TYPE_CHECKING:  # pydantic's schemas of scenarios cost 0.1 s that other commands save
    from slukh.cost.estimates.scenario import Scenario
    from slukh.cost.report.findings import Findings


class Language(StrEnum):
    """Languages of the report."""

    en = "en"
    ru = "ru"


class Format(StrEnum):
    """What it is written in."""

    md = "md"
    html = "html"


AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="The day whose prices hold; today without it."),
]
Vat = Annotated[
    float | None,
    typer.Option("--vat", min=0, max=99, help="VAT in per cent, not the scenario's; 0 leaves it out."),
]
LanguageOption = Annotated[Language, typer.Option("--language", help="Of texts and numbers.")]
FormatOption = Annotated[
    Format, typer.Option("--format", help="md: plots are files beside it; html: one file with all in it.")
]
Output = Annotated[
    Path | None,
    typer.Option("--output", help="File to write; without it the text goes to the terminal.", metavar="FILE"),
]


def on_the_day(scenario: "Scenario", as_of: datetime | None, vat: float | None) -> "Scenario":
    """The scenario at the prices of a day, today's without one, and with another tax if one is given."""
    day = (datetime.now(UTC) if as_of is None else as_of).date()
    scenario = replace(scenario, as_of=day)
    if vat is None:
        return scenario
    return replace(scenario, vat=replace(scenario.vat, rate=Decimal(str(vat)) / 100))


def made(options: Mapping[str, object]) -> str:
    """The command that makes the same report again; options that are None or False were not given."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    words = (name if value is True else f"{name} {_word(value)}" for name, value in given.items())
    return " ".join(("slukh cost report", *words))


def _word(value: object) -> str:
    match value:
        case datetime():
            return f"{value:%Y-%m-%d}"
        case float():
            return f"{value:g}"
    return quote(str(value))


def check_basis(*, from_ledger: bool, as_of: datetime | None, vat: float | None) -> None:
    """Refuse what real calls say themselves.

    Raises:
        UserError: a day or a tax was given for calls of the ledger.
    """
    if from_ledger and (as_of is not None or vat is not None):
        raise UserError(
            "--as-of and --vat are about scenarios",
            remedy="real calls have days of their own; set `vat` in the scenario that --scenario names",
        )


def check_output(output: Path | None, form: Format) -> None:
    """Refuse what cannot be written, before anything is computed.

    Raises:
        UserError: it is no Markdown file, its folder is not there, or matplotlib is not installed.
    """
    from slukh.cost.report.make import check_plots

    if output is not None or form is Format.html:
        check_plots()
    if output is None:
        return
    if form is Format.md and output.suffix != ".md":
        raise UserError(f"{output} is no Markdown file", remedy="name it *.md, or add --format html")
    if not output.parent.is_dir():
        raise UserError(f"{output.parent} is no folder", remedy="make it, or name another one")


def written(found: "Findings", *, language: Language, form: Format, output: Path | None) -> str | None:
    """The report as text for the terminal, or None when it was written to files.

    Raises:
        UserError: a file cannot be written.
    """
    from slukh.cost.report.make import html_text, markdown_files, markdown_text, write_files

    if output is None:
        return markdown_text(found, language.value) if form is Format.md else html_text(found, language.value)
    if form is Format.html:
        files = {output.name: html_text(found, language.value)}
    else:
        files = markdown_files(found, language.value, stem=output.stem)
    try:
        write_files(output.parent, files)
    except OSError as error:
        raise UserError(
            f"{output} cannot be written ({error.strerror})", remedy="mend the path or its rights"
        ) from error
    return None
