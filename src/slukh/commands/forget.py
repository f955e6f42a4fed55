"""`slukh forget`: a caller, or a call, and everything that names them."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from slukh.callers import named_caller, read_caller_key
from slukh.errors import UserError
from slukh.settings.config import Settings, load

if TYPE_CHECKING:
    from slukh.cost.meter import CallFacts
    from slukh.cost.spools import OwnedSpool

_GATEWAY_SECONDS = 15.0  # it may be writing to a ledger that is busy
_DRAIN_SECONDS = 5.0
_WHY_KEPT = "usage rows say how much was used, with no word and no number: they are the books"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A call, or a caller by hash; one of them is None."""

    call_id: str | None = None
    caller: str | None = None

    def names(self, facts: "CallFacts") -> bool:
        """Whether these facts tell whose call it was, and it is to be forgotten."""
        return facts.caller is not None and (facts.call_id == self.call_id or facts.caller == self.caller)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forgotten:
    """What became of what was kept.

    Attributes:
        calls: that were found.
        recordings: removed, audio and texts.
        experiment: table -> rows removed.
        ledger_rows: out of which the caller's hash was taken.
        witnessed: phrases that the caller was counted to have heard, and is not now.
        usage_rows: of these calls, kept.
        gateway: what the gateways said, added up, or None when none answers.
    """

    calls: tuple[str, ...]
    recordings: int
    experiment: Mapping[str, int]
    ledger_rows: int
    witnessed: int
    usage_rows: int
    gateway: Mapping[str, int] | None

    @property
    def is_anything(self) -> bool:
        """Whether there was something to forget."""
        in_memory = self.gateway["forgotten"] if self.gateway else 0
        kept = self.recordings + sum(self.experiment.values()) + self.ledger_rows + self.witnessed
        return bool(kept or in_memory)


def forget(
    who: Annotated[
        str,
        typer.Argument(
            metavar="CALLER|CALL",
            help="A number as the dial plan announces it, the hash that `slukh calls show` prints, or a "
            "call's UUID.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Forget a caller or a call: recordings, what the experiment counted of it, whose calls they were.

    Run it with the gateway's settings, on its machine: a number is found by a key in the data folder. All
    gateways that run on that folder let go of calls that are over, one elsewhere does so after
    SLUKH_TRANSCRIPT_MINUTES. A call that is on the line is forgotten once it is over: run it again then.
    While usage waits outside the ledger, nothing is forgotten and the exit code is 2.

    Usage rows are kept, they are the books: how much was used, with no word and no number. Backups, and logs
    at DEBUG, are not reached.

    Exit code 1: there was nothing to forget.

    slukh forget +380671234567

    slukh forget 8b1f7c1e-6f0c-4b8e-9a53-2f1de3a7c001 --json
    """
    settings = load(Settings)
    target = _target(who, settings)
    found = _forgotten(settings, target)
    if as_json:
        typer.echo(json.dumps(_told(found)))
    else:
        typer.echo("\n".join(_lines(found, settings)))
    if not found.is_anything:
        raise typer.Exit(1)


def _target(who: str, settings: Settings) -> _Target:
    try:
        return _Target(call_id=str(UUID(who)))
    except ValueError:
        caller = named_caller(read_caller_key(settings.slukh_data_dir), who)
    if caller is None:
        raise UserError(
            "that is no caller and no call",
            remedy="name a number, the hash that `slukh calls show` prints, or a call's UUID",
        )
    return _Target(caller=caller)


def _forgotten(settings: Settings, target: _Target) -> _Forgotten:
    """Forget; the ledger last: a run that fails before it still finds every call the next time.

    Raises:
        UserError: something that names them is on its way into the ledger, and would come after this.
    """
    from slukh.commands.recordings import opened_recordings
    from slukh.cost.ledger.forgetting import (
        calls_of,
        forget_callers_of,
        forget_witness,
        usage_rows_of,
    )
    from slukh.cost.ledger.store import Ledger
    from slukh.cost.phrase_tally import witness_of
    from slukh.cost.spools import drain_ownerless
    from slukh.experiment.store import ExperimentStore

    with (
        Ledger(settings.ledger_url) as ledger,
        ExperimentStore(settings.experiment_url) as store,
        opened_recordings() as recordings,
    ):
        # First: what is still outside the ledger names them, and their calls are found by it.
        owned = drain_ownerless(settings.slukh_data_dir, ledger)
        gateway = _ask_gateways(settings, owned, target)
        _wait_for_spools(owned, target)
        witnessed = 0
        if target.caller is None:
            calls = [target.call_id or ""]
        else:
            calls = sorted({
                *calls_of(ledger, target.caller),
                *store.calls_of(target.caller),
                *recordings.calls_of(target.caller),
            })  # fmt: skip
            key = read_caller_key(settings.slukh_data_dir)
            witnessed = forget_witness(ledger, partial(witness_of, key, caller=target.caller))
        return _Forgotten(
            calls=tuple(calls),
            recordings=sum(map(recordings.forget_call, calls)),
            experiment=store.forget(calls),
            usage_rows=usage_rows_of(ledger, calls),
            ledger_rows=forget_callers_of(ledger, calls),
            witnessed=witnessed,
            gateway=gateway,
        )


def _ask_gateways(
    settings: Settings, owned: Iterable["OwnedSpool"], target: _Target
) -> Mapping[str, int] | None:
    """What the gateways of the data folder, and the one of the settings, forgot; None when none runs.

    Raises:
        UserError: one that runs did not do it.
    """
    from slukh.cost.spools import url_of

    said = {}
    for spool in owned:
        answer = None if spool.url is None else _ask_gateway(settings, spool.url, target)
        if answer is None:
            raise UserError(
                f"the gateway of {spool.directory} runs and does not answer; nothing is forgotten yet",
                remedy="run this again when its /readyz answers",
            )
        said[spool.url] = answer
    url = url_of(settings.slukh_http_host, settings.slukh_http_port)
    if url not in said and (answer := _ask_gateway(settings, url, target)) is not None:
        said[url] = answer
    if not said:
        return None
    return {name: sum(answer[name] for answer in said.values()) for name in ("forgotten", "live")}


def _ask_gateway(settings: Settings, url: str, target: _Target) -> Mapping[str, int] | None:
    """What the gateway at an address forgot; None when none answers. Raises UserError: it did not do it."""
    import httpx

    token = settings.slukh_api_token
    headers = {} if token is None else {"authorization": f"Bearer {token.get_secret_value()}"}
    body = {"call_id": target.call_id} if target.caller is None else {"caller": target.caller}
    url = f"{url}/v1/forget"
    try:
        answer = httpx.post(url, json=body, headers=headers, timeout=_GATEWAY_SECONDS, trust_env=False)
    except httpx.HTTPError:
        return None
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        error = answer.json()["error"]
        raise UserError(f"{url} answers: {error['problem']}", remedy=error["remedy"])
    if answer.is_error:
        raise UserError(
            f"{url} answers {answer.status_code}; nothing is forgotten yet",
            remedy="set SLUKH_API_TOKEN, SLUKH_HTTP_HOST and SLUKH_HTTP_PORT to the gateway's",
        )
    said: dict[str, int] = answer.json()
    return said


def _wait_for_spools(owned: Collection["OwnedSpool"], target: _Target) -> None:
    from slukh.cost.spools import undrained

    for spool in undrained(owned, target.names, seconds=_DRAIN_SECONDS):
        raise UserError(
            f"{spool.directory} still has calls that are to be forgotten, and they are not in the ledger",
            remedy="wait until the gateway's /readyz says ready, then run this again",
        )


def _told(found: _Forgotten) -> dict[str, object]:
    return {
        "calls": list(found.calls),
        "removed": {
            "recordings": found.recordings,
            "experiment": dict(found.experiment),
            "callers_in_ledger": found.ledger_rows,
            "phrases_heard": found.witnessed,
        },
        "gateway": None if found.gateway is None else dict(found.gateway),
        "kept": {"usage_rows": found.usage_rows, "why": _WHY_KEPT},
    }


def _lines(found: _Forgotten, settings: Settings) -> list[str]:
    counted = ", ".join(f"{rows} of {table}" for table, rows in found.experiment.items() if rows)
    removed = [
        f"recordings, audio and texts: {found.recordings} removed",
        f"the experiment's rows: {counted or 'none'} removed",
        f"the caller's hash in the ledger: taken out of {found.ledger_rows} rows",
        f"phrases that the caller was counted to have heard: {found.witnessed}, not now",
    ]
    minutes = f"{settings.slukh_transcript_minutes:g} minutes after it"
    if found.gateway is None:
        memory = f"no gateway answers here; one that runs elsewhere forgets a call {minutes}"
    else:
        memory = f"calls in memory of gateways: {found.gateway['forgotten']} removed"
        if found.gateway["live"]:
            memory += f", {found.gateway['live']} not over yet: run this again when they are"
    kept = f"kept: {found.usage_rows} usage rows of {len(found.calls)} calls ({_WHY_KEPT})"
    if not found.is_anything:
        return [f"nothing to forget ({kept})" if found.usage_rows else "nothing to forget", memory]
    return [*removed, memory, kept]
