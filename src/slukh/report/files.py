"""Where the files of a report go, and what must be there for them."""

from collections.abc import Mapping
from pathlib import Path

from slukh.errors import UserError


def check_plots() -> None:
    """Find out whether there can be plots, before anything is computed for them.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import slukh.report.svg  # noqa: F401  # what will be wanted
    except ImportError as missing:
        raise UserError("plots need matplotlib", remedy="pip install 'slukh[report]'") from missing


def check_folder(output: Path) -> None:
    """Refuse a file that has no folder, before anything is computed.

    Raises:
        UserError: it has none.
    """
    if not output.parent.is_dir():
        raise UserError(f"{output.parent} is no folder", remedy="make it, or name another one")


def write_files(output: Path, files: Mapping[str, str]) -> None:
    """Write a report and what belongs to it, over what is there.

    Args:
        output: the report itself.
        files: names in its folder, and their content.

    Raises:
        UserError: one of them cannot be written.
    """
    try:
        for name, text in files.items():
            (output.parent / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"{output} cannot be written ({error.strerror})", remedy="mend the path or its rights"
        ) from error
