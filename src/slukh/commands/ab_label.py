"""`slukh ab label`: what a labeller is to hear, found and served to them until they end it."""

import contextlib
import secrets
import socket
import time
import webbrowser
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from slukh.commands.recordings import opened_recordings
from slukh.errors import ExperimentError, ServiceError
from slukh.settings.config import Settings, load
from slukh.settings.recordings import RecordingSettings

if TYPE_CHECKING:
    from slukh.experiment.evidence import ShadowRow
    from slukh.experiment.labelling.questions import Contested
    from slukh.experiment.labelling.session import Session
    from slukh.experiment.labelling.sharing import Draw
    from slukh.experiment.recordings import Recordings
    from slukh.experiment.store import ExperimentStore

_HOST = "127.0.0.1"


def serve(
    since: datetime, until: datetime, *, labeller: str, labels: int, seed: int, port: int, opens_browser: bool
) -> None:
    """Ask a person about the differences of a window, until Ctrl-C.

    Raises:
        ExperimentError: there is nothing to hear, or the store or the recordings cannot be used.
        ServiceError: the port is taken.
    """
    from slukh.experiment.store import ExperimentStore

    if load(RecordingSettings).key is None:
        raise ExperimentError(
            "no audio of calls is kept",
            remedy="set SLUKH_RECORDING_DAYS and SLUKH_RECORDING_KEY; what is recorded then can be labelled",
        )
    with ExperimentStore(load(Settings).experiment_url) as store:
        session = _session(store, since, until, labeller=labeller, labels=labels, seed=seed)
        if session.question is None:
            typer.echo(f"nothing is left for {labeller} to label in this draw")
            return
        with _listener(port) as listener:
            _run(session, store, listener, opens_browser=opens_browser)
    done, of = session.progress.done, session.progress.of
    after = "the same command goes on" if done < of else "slukh ab report has them"
    typer.echo(f"{done} of {of} answered: {after}")


def drawn_window(
    store: "ExperimentStore", since: datetime, until: datetime, *, labels: int, seed: int
) -> "Draw":
    """Draw a window and keep the draw; labels of a smaller draw get the probability of this one.

    Raises:
        ExperimentError: there are labels of another draw, or another seed, or the store cannot be used.
    """
    from slukh.experiment.labelling.sharing import draw

    rows = store.window(since, until)
    languages = {call.call_id: call.language_code for call in rows.calls}
    found = draw(
        rows.shadows, rows.labels, languages, window=(since, until), wanted=labels, seed=seed,
        before=rows.draws,
    )  # fmt: skip
    store.draw(since, until, found.rows)
    store.record(found.restated)
    return found


def _session(
    store: "ExperimentStore", since: datetime, until: datetime, *, labeller: str, labels: int, seed: int
) -> "Session":
    """What one labeller is asked."""
    from slukh.experiment.labelling.questions import questions
    from slukh.experiment.labelling.session import Session
    from slukh.experiment.labelling.sharing import share

    drawn = drawn_window(store, since, until, labels=labels, seed=seed)
    theirs = share(drawn, seed=seed, labeller=labeller)
    if not drawn.utterances:
        raise ExperimentError(
            "no two recognisers differ in this window",
            remedy="let the other one hear calls (FF_SHADOW_PERCENT), or name another --since and --until",
        )
    with opened_recordings() as recordings:
        waiting = _heard(recordings, theirs.waiting)
        done = _heard(recordings, ((row, 1.0) for row in theirs.done))
    if theirs.waiting and not waiting:
        raise ExperimentError(
            f"none of the {len(theirs.waiting)} utterances to label was recorded, or no longer is",
            remedy="set SLUKH_RECORDING_DAYS for the gateway, and name a window after that",
        )
    if missing := len(theirs.waiting) - len(waiting):
        typer.echo(
            f"{missing} of {len(theirs.waiting)} cannot be heard: unanswered, each is the worst it can be"
        )
    return Session(
        questions(waiting, seed=seed),
        labeller=labeller,
        done_before=sum(len(each.differences) for each in done),
        now=time.monotonic(),
    )


def _heard(recordings: "Recordings", rows: Iterable[tuple["ShadowRow", float]]) -> list["Contested"]:
    """Those of which there is a recording."""
    from slukh.experiment.labelling.questions import contested

    found, grammars = [], load(Settings).slukh_grammars
    for row, probability in rows:
        recorded = recordings.read(row.call_id, row.utterance_id)
        if recorded is not None and (one := contested(recorded, probability, grammars)) is not None:
            found.append(one)
    return found


@contextlib.contextmanager
def _listener(port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((_HOST, port))
    except OSError as error:
        raise ServiceError(
            f"cannot listen on {_HOST}:{port} ({error.strerror})", remedy="name another --port"
        ) from error
    with listener:
        yield listener


def _run(
    session: "Session", store: "ExperimentStore", listener: socket.socket, *, opens_browser: bool
) -> None:
    import uvicorn

    from slukh.experiment.labelling.page import create_page

    token = secrets.token_urlsafe(24)
    address = f"http://{_HOST}:{listener.getsockname()[1]}/{token}/"
    typer.echo(f"label at {address} and end with Ctrl-C")
    if opens_browser:
        webbrowser.open(address)
    # No log of its own: an address has the token in it.
    config = uvicorn.Config(
        create_page(session, store, token=token), log_config=None, access_log=False, lifespan="off"
    )
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
