"""The HTTP API: who may call it, what it refuses, and what it tells."""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from slukh.callers import caller_hash
from slukh.serving.callbook import CallBook
from slukh.types import CallStarted, Event
from slukh.web.api import ApiOptions, Outcome, create_app


def client(
    *,
    token: str | None = None,
    refuse: str | None = None,
    wrong: dict[str, str] | None = None,
    outcome: Callable[[str, Outcome], None] = lambda _call_id, _outcome: None,
    forgotten: Callable[[str], None] = lambda _call_id: None,
    book: CallBook | None = None,
) -> TestClient:
    options = ApiOptions(
        token=token,
        caller_key=b"key",
        language_code="uk-UA",
        alternative_language_codes=(),
        refuse_reason=lambda: refuse,
        not_ready=lambda: wrong or {},
        metrics=lambda: (b"calls_active 0\n", "text/plain; version=0.0.4"),
        outcome=outcome,
        forgotten=forgotten,
    )
    return TestClient(create_app(CallBook(transcript_seconds=600) if book is None else book, options))


def test_an_announced_call_is_known_and_not_done() -> None:
    api, call_id = client(), str(uuid4())
    answer = api.post("/v1/calls", json={"call_id": call_id, "language_code": "ru-RU", "trunk": "kyivstar"})
    assert answer.status_code == 201
    told = api.get(f"/v1/calls/{call_id}").json()
    assert (told["state"], told["done"], told["language_code"]) == ("announced", False, "ru-RU")
    assert [c["call_id"] for c in api.get("/v1/calls").json()["calls"]] == [call_id]


def test_the_legs_of_a_call_are_counted_from_what_was_announced() -> None:
    api, call_id = client(), str(uuid4())
    assert api.post("/v1/calls", json={"call_id": call_id, "leg": 101}).json()["leg"] == 101
    assert api.post("/v1/calls", json={"call_id": str(uuid4())}).json()["leg"] == 1


def test_the_same_call_announced_again_is_refused() -> None:
    api, body = client(), {"call_id": str(uuid4())}
    api.post("/v1/calls", json=body)
    assert api.post("/v1/calls", json=body).status_code == 409


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"call_id": "not-a-uuid"}, "call_id"),
        ({}, "call_id"),
        ({"call_id": str(uuid4()), "language_code": "xx-XX"}, "uk-UA"),
        ({"call_id": str(uuid4()), "colour": "red"}, "colour"),
        ({"call_id": str(uuid4()), "caller": "1" * 100}, "caller"),
    ],
)
def test_a_bad_announcement_is_refused_and_says_what_is_wrong(body: dict[str, str], named: str) -> None:
    answer = client().post("/v1/calls", json=body)
    assert answer.status_code == 422
    assert named in answer.json()["error"]["problem"]


def test_a_body_that_is_not_json_or_too_long_is_refused() -> None:
    assert client().post("/v1/calls", content=b"{").status_code == 422
    assert client().post("/v1/calls", content=b" " * 20_000).status_code == 413


def test_a_gateway_that_is_full_or_draining_refuses_with_the_reason() -> None:
    answer = client(refuse="draining").post("/v1/calls", json={"call_id": str(uuid4())})
    assert answer.status_code == 503
    assert "draining" in answer.json()["error"]["problem"]


ROUTES: list[Callable[[TestClient], int]] = [
    lambda api: api.post("/v1/calls", json={"call_id": str(uuid4())}).status_code,
    lambda api: api.get("/v1/calls").status_code,
    lambda api: api.get("/v1/calls/x").status_code,
    lambda api: api.get("/v1/calls/x/events").status_code,
    lambda api: api.post("/v1/forget", json={"caller": "1"}).status_code,
]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic secret", "Bearer secret2", "secret"])
def test_every_call_route_wants_the_token(route: Callable[[TestClient], int], header: str | None) -> None:
    api = client(token="secret")
    if header is not None:
        api.headers["authorization"] = header
    assert route(api) == 401
    api.headers["authorization"] = "Bearer secret"
    assert route(api) != 401


def test_a_refused_token_says_how_to_give_one() -> None:
    assert client(token="secret").get("/v1/calls").headers["www-authenticate"] == "Bearer"


def test_a_call_is_found_however_its_uuid_is_written() -> None:
    api, call_id = client(), str(uuid4())
    api.post("/v1/calls", json={"call_id": call_id.upper()})
    assert api.get(f"/v1/calls/{call_id.upper()}").json()["call_id"] == call_id


def test_health_and_metrics_want_no_token() -> None:
    api = client(token="secret")
    assert api.get("/healthz").json() == {"status": "alive"}
    assert api.get("/metrics").text == "calls_active 0\n"
    assert api.get("/readyz").status_code == 200


def test_readiness_names_what_is_wrong() -> None:
    answer = client(wrong={"disk": "read-only"}).get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "wrong": {"disk": "read-only"}, "degraded": {}}


@pytest.mark.parametrize("kind", get_args(Event))
def test_the_document_names_every_event_and_its_fields(kind: type[Event]) -> None:
    document = (Path(__file__).parents[3] / "doc" / "http-api.md").read_text(encoding="utf-8")
    name = re.sub("(?<=.)(?=[A-Z])", "_", kind.__name__).lower()
    (row,) = (line for line in document.splitlines() if line.startswith(f"| `{name}` |"))
    told = {field.name for field in fields(kind)} - {"digit"}
    assert not [field for field in told if f"`{field}`" not in row]


def test_an_unknown_call_is_not_found() -> None:
    for path in ("/v1/calls/x", "/v1/calls/x/events"):
        answer = client().get(path)
        assert answer.status_code == 404
        assert answer.json()["error"]["remedy"]


def test_what_the_dialogue_says_of_a_call_is_taken_whether_the_call_is_in_memory_or_not() -> None:
    taken: dict[str, Outcome] = {}
    api, call_id = client(outcome=taken.__setitem__), str(uuid4())
    answer = api.post(f"/v1/calls/{call_id}/outcome", json={"task_success": True, "repairs": 2})
    assert answer.status_code == 202
    assert taken == {call_id: Outcome(task_success=True, repairs=2)}


@pytest.mark.parametrize(
    ("body", "named"),
    [({"repairs": -1}, "repairs"), ({"repairs": True, "mood": "good"}, "mood"), ([], "body")],
)
def test_a_bad_outcome_is_refused_and_says_what_is_wrong(body: object, named: str) -> None:
    answer = client().post(f"/v1/calls/{uuid4()}/outcome", json=body)
    assert answer.status_code == 422
    assert named in answer.json()["error"]["problem"]


def test_an_outcome_of_what_is_no_call_is_not_found_and_wants_the_token() -> None:
    assert client().post("/v1/calls/seven/outcome", json={}).status_code == 404
    assert client(token="secret").post(f"/v1/calls/{uuid4()}/outcome", json={}).status_code == 401


def ended_call(book: CallBook, caller: str | None) -> str:
    call = CallStarted(call_id=str(uuid4()), caller=caller, language_code="uk-UA")
    book.attach(call).state = "ended"
    return call.call_id


def test_a_caller_is_forgotten_by_number_or_hash_and_a_call_by_its_id() -> None:
    book = CallBook(transcript_seconds=600)
    forgotten: list[str] = []
    api = client(book=book, forgotten=forgotten.append)
    hashed = caller_hash(b"key", "380671234567")
    calls = [ended_call(book, caller) for caller in (hashed, hashed, None)]
    assert api.post("/v1/forget", json={"caller": "+380671234567"}).json() == {"forgotten": 2, "live": 0}
    assert api.post("/v1/forget", json={"caller": hashed}).json() == {"forgotten": 0, "live": 0}
    assert api.post("/v1/forget", json={"call_id": calls[2].upper()}).json()["forgotten"] == 1
    assert forgotten == calls


@pytest.mark.parametrize("body", [{}, {"caller": "olena"}, {"caller": "1", "call_id": str(uuid4())}])
def test_who_is_to_be_forgotten_is_named_in_one_way(body: dict[str, str]) -> None:
    answer = client().post("/v1/forget", json=body)
    assert answer.status_code == 422
    assert "call_id" in answer.json()["error"]["remedy"]
