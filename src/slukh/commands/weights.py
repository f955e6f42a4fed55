"""`slukh weights`: model files in the user's cache."""

from typing import Annotated

import typer

from slukh.settings.config import Settings, load

app = typer.Typer(no_args_is_help=True, help="Model files in the user's cache.")


@app.command("get")
def weights_get(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="silero|base|SIZE|PATH",
            help="silero: the voice detector. base, small, large-v3 ...: a Whisper. PATH: a folder with a "
            "CTranslate2 conversion.",
        ),
    ],
) -> None:
    """Fetch model files, check their sha256 and keep them in the user's cache.

    Example: slukh weights get silero base
    """
    from slukh.weights import get_silero, get_whisper

    root = load(Settings).slukh_weights_dir
    for name in names:
        path = (
            get_silero(root, progress=typer.echo)
            if name == "silero"
            else get_whisper(root, name, progress=typer.echo)
        )
        typer.echo(f"{name}: ready in {path}")
