"""`slukh cost report`: its options, and where what it makes goes."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slukh.commands.options import day_of
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
    typer.Option(
        "--as-of", parser=day_of, metavar="DAY", help="The day whose prices hold; today without it."
    ),
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
    from slukh.report.files import check_folder, check_plots

    if output is not None or form is Format.html:
        check_plots()
    if output is None:
        return
    if form is Format.md and output.suffix != ".md":
        raise UserError(f"{output} is no Markdown file", remedy="name it *.md, or add --format html")
    check_folder(output)


def written(found: "Findings", *, language: Language, form: Format, output: Path | None) -> str | None:
    """The report as text for the terminal, or None when it was written to files.

    Raises:
        UserError: a file cannot be written.
    """
    from slukh.cost.report.make import html_text, markdown_files, markdown_text
    from slukh.report.files import write_files

    if output is None:
        return markdown_text(found, language.value) if form is Format.md else html_text(found, language.value)
    if form is Format.html:
        files = {output.name: html_text(found, language.value)}
    else:
        files = markdown_files(found, language.value, stem=output.stem)
    write_files(output, files)
    return None
