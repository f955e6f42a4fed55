"""The report's files: what is checked in, and one page of HTML."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from runpy import run_path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from slukh.commands.cost import app
from slukh.cost.report.findings import Findings
from slukh.cost.report.make import html_text
from slukh.cost.wording import LANGUAGES
from slukh.errors import UserError
from slukh.report.blocks import Heading, Paragraph, Table
from slukh.report.markdown import markdown
from slukh.report.page import page

ROOT = Path(__file__).parents[4]
BUSINESS = ROOT / "doc" / "business"
# Elements of HTML that have no end.
VOID = {"meta", "br", "wbr"}


def texts(svg: str) -> list[str]:
    """Words and numbers in a plot."""
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_checked_in_analysis_is_what_the_code_says(tmp_path: Path) -> None:
    """Numbers and texts; how a plot is drawn is the library's."""
    run_path(str(ROOT / "tests" / "documents.py"))["write_cost_analysis"](tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in BUSINESS.glob("cost-analysis.*")}
    assert made.keys() == kept.keys(), "run `make docs`"
    for name, content in made.items():
        if name.endswith(".md"):
            assert kept[name] == content, "run `make docs`"
        else:
            assert texts(kept[name]) == texts(content), f"{name}: run `make docs`"


def test_the_text_shows_every_plot(tmp_path: Path) -> None:
    for name in ("cost-analysis.md", "cost-analysis.ru.md"):
        shown = re.findall(r"\]\(([^)]+\.svg)\)", (BUSINESS / name).read_text(encoding="utf-8"))
        assert len(shown) == len(set(shown)) == 5
        assert all((BUSINESS / plot).is_file() for plot in shown)


def test_a_plot_follows_light_and_dark_and_has_no_date() -> None:
    for plot in BUSINESS.glob("*.svg"):
        content = plot.read_text(encoding="utf-8")
        assert "prefers-color-scheme:dark" in content
        assert "var(--ink)" in content
        assert "<dc:date>" not in content


class Page(HTMLParser):
    """Tags in their order, as a strict reader sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._look_at(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _look_at(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href", "srcset", "data"}:
                self.links.append(value or "")


@pytest.fixture(scope="module", params=LANGUAGES)
def html(shop: Findings, request: pytest.FixtureRequest) -> str:
    made = html_text(shop, request.param)
    assert f'<html lang="{request.param}">' in made
    return made


def test_the_page_is_well_formed(html: str) -> None:
    read = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert read.tags.count("svg") == 5
    assert read.tags.count("title") == read.tags.count("h1") == 1


def test_the_page_fetches_nothing(html: str) -> None:
    read = Page(html)
    assert all(link.startswith("#") for link in read.links)
    assert {link[1:] for link in read.links} <= set(read.ids)
    used = re.findall(r"url\(([^)]*)\)", html)
    assert used
    assert {name[1:] for name in used if name.startswith("#")} <= set(read.ids)
    assert all(name.startswith("#") for name in used)
    assert not {"script", "link", "img", "iframe", "object"} & set(read.tags)
    assert "@import" not in html


def test_the_page_is_for_phones_paper_and_the_dark(html: str) -> None:
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    # Every colour of a plot is one that the page may change.
    assert not re.findall(r"(?:fill|stroke): #", html)


def test_numbers_stand_to_the_right(html: str) -> None:
    assert "td.n, th.n { text-align: right; }" in html
    cells = re.findall(r"<td([^>]*)>([^<]*)</td>", html)
    amounts = [how for how, text in cells if re.match(r"^(\$[0-9.,]+|[0-9,]+\s\$)$", text)]
    assert len(amounts) > 50
    assert set(amounts) == {' class="n"'}


def test_a_text_with_marks_is_escaped_and_marked() -> None:
    made = page([Heading(1, "A & B"), Paragraph("**1 < 2** `x`")], language="en", picture=str)
    assert "<title>A &amp; B</title>" in made
    assert "<p><strong>1 &lt; 2</strong> <code>x</code></p>" in made


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    made = markdown([Table(head=("a", "b"), rows=(("x|y", "1"),))], picture=None)
    assert made == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |\n"


def test_one_file_has_the_whole_page(tmp_path: Path) -> None:
    file = tmp_path / "cost.html"
    arguments = ["report", "--as-of", "2026-11-26", "--format", "html", "--output", str(file)]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert [*tmp_path.iterdir()] == [file]
    assert file.read_text(encoding="utf-8").endswith("</html>\n")


def test_markdown_on_the_terminal_has_no_broken_pictures() -> None:
    result = CliRunner().invoke(app, ["report", "--as-of", "2026-11-26"], catch_exceptions=False)
    assert result.stdout.startswith("# What a call costs\n")
    assert "![" not in result.stdout


@pytest.mark.parametrize(
    ("name", "sentence"), [("missing/report.md", "is no folder"), ("report.txt", "is no Markdown file")]
)
def test_a_file_that_cannot_be_is_refused(name: str, sentence: str, tmp_path: Path) -> None:
    arguments = ["report", "--as-of", "2026-11-26", "--output", str(tmp_path / name)]
    with pytest.raises(UserError, match=sentence):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_a_missing_library_is_named_with_its_remedy() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from slukh.errors import UserError\n"
        "from slukh.report.files import check_plots\n"
        "try:\n    check_plots()\n"
        "except UserError as error:\n    print(error.remedy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pip install 'slukh[report]'"
