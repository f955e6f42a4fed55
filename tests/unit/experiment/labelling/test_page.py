"""The page over HTTP: who is let in, what is told, and what becomes of answers."""

import io
import json
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from slukh.errors import ExperimentError
from slukh.experiment.evidence import LabelRow
from slukh.experiment.labelling.page import create_page
from slukh.experiment.labelling.questions import Contested, questions
from slukh.experiment.labelling.session import Session

Make = Callable[..., Contested]
TOKEN = "a-token"


class Kept:
    """Labels in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, str], LabelRow] = {}
        self.is_away = False

    def record(self, rows: Sequence[LabelRow]) -> None:
        if self.is_away:
            raise ExperimentError("the store is away", remedy="bring it back")
        self.rows |= {(row.call_id, row.utterance_id, row.labeller): row for row in rows}

    def withdraw(self, label: LabelRow) -> None:
        del self.rows[label.call_id, label.utterance_id, label.labeller]


class Desk:
    """A page with two utterances to label."""

    def __init__(self, utterances: Sequence[Contested]) -> None:
        self.labels = Kept()
        session = Session(questions(utterances, seed=1), labeller="olena", now=0.0)
        self.http = TestClient(create_page(session, self.labels, token=TOKEN, clock=lambda: 0.0))
        self.page = f"/{TOKEN}"

    def answer(self, number: int, reply: str = "a", text: str = "") -> dict[str, object]:
        given = {"number": number, "reply": reply, "text": text}
        told: dict[str, object] = self.http.post(f"{self.page}/answer", json=given).json()
        return told


@pytest.fixture
def desk(two_texts: Make) -> Desk:
    return Desk([two_texts("мені шини 205/55", "мені шини 215/55"), two_texts("так", "ні", utterance_id=2)])


PATHS = ["/", "/page.js", "/state", "/audio/0", "/audio/0?whole"]


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_served_without_the_token(desk: Desk, path: str) -> None:
    assert desk.http.get(desk.page + path).status_code == 200
    for wrong in ("/", "/wrong", "/a-toke", "/a-token-"):
        answer = desk.http.get(wrong + path)
        assert answer.status_code in {403, 404}
        assert "шини" not in answer.text


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_cached_and_nothing_comes_from_elsewhere(desk: Desk, path: str) -> None:
    headers = desk.http.get(desk.page + path).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/answer", "/undo"])
def test_nothing_is_answered_without_the_token(desk: Desk, path: str) -> None:
    given = {"number": 0, "reply": "a"}
    assert desk.http.post(f"/wrong{path}", json=given).status_code == 403
    assert desk.labels.rows == {}


def test_a_question_tells_both_texts_and_nothing_of_who_wrote_them(desk: Desk) -> None:
    told = desk.http.get(f"{desk.page}/state").json()
    words = [[piece["word"] for piece in line] for line in told["question"]["lines"]]
    assert sorted(words) == [["мені", "шини", "205/55"], ["мені", "шини", "215/55"]]
    for word in ("google", "whisper", "swapped", "call", "arm"):
        assert word not in json.dumps(told)
    assert told["progress"] == {"done": 0, "of": 2, "minutes_left": 1, "can_undo": False}


def test_audio_is_the_difference_and_the_whole_on_demand(desk: Desk) -> None:
    def seconds(path: str) -> float:
        with wave.open(io.BytesIO(desk.http.get(desk.page + path).content)) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
            return float(sound.getnframes() / 8000)

    assert 0.5 < seconds("/audio/0") < seconds("/audio/0?whole") == 3.0
    assert desk.http.get(f"{desk.page}/audio/1").status_code == 404


def test_an_answer_is_a_label_and_undo_takes_it_back(desk: Desk) -> None:
    assert desk.answer(0, "typed", "225/55")["question"] is not None
    ((key, row),) = desk.labels.rows.items()
    assert (key, row.google_errors, row.whisper_errors) == (("call", 1, "olena"), 1, 1)
    assert desk.http.post(f"{desk.page}/undo").json()["progress"]["done"] == 0
    assert desk.labels.rows == {}


def test_the_state_is_there_again_when_the_page_is_opened_again(desk: Desk) -> None:
    told = desk.answer(0)
    assert desk.http.get(f"{desk.page}/state").json() == told


def test_the_end_is_told(desk: Desk) -> None:
    desk.answer(0)
    told = desk.answer(1, "skip")
    assert told["question"] is None
    assert len(desk.labels.rows) == 2


def test_an_answer_to_another_question_changes_nothing_and_tells_the_present_one(desk: Desk) -> None:
    told = desk.answer(0)
    given = {"number": 0, "reply": "b", "text": ""}
    again = desk.http.post(f"{desk.page}/answer", json=given)
    assert (again.status_code, again.json()) == (409, told)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"number": 0, "reply": "google"}', b'{"number": -1, "reply": "a"}']
)
def test_what_is_no_answer_is_refused_in_words(desk: Desk, body: bytes) -> None:
    answer = desk.http.post(f"{desk.page}/answer", content=body)
    assert (answer.status_code, answer.json()) == (422, {"error": "that is no answer"})


def test_a_label_that_cannot_be_stored_is_asked_again(desk: Desk) -> None:
    desk.labels.is_away = True
    assert desk.answer(0) == {"error": "the store is away: bring it back"}
    desk.labels.is_away = False
    assert desk.http.get(f"{desk.page}/state").json()["progress"]["done"] == 0
    desk.answer(0)
    assert len(desk.labels.rows) == 1


def test_the_page_names_no_address_but_its_own() -> None:
    folder = Path(create_page.__code__.co_filename).parent
    for name in ("page.html", "page.js"):
        text = (folder / name).read_text(encoding="utf-8")
        assert "http" not in text
        assert "//" not in text.replace("// ", "")
