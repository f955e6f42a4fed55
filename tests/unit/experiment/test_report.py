"""The verdict as a page: what an owner reads on a phone, and what makes it again."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from slukh.experiment.evidence import CallRow, Evidence, LabelRow, OutcomeRow, ShadowRow
from slukh.experiment.gates import Gate, Margins
from slukh.experiment.report.make import html_text
from slukh.experiment.report.sections import document
from slukh.experiment.units import between
from slukh.experiment.verdict import Verdict
from slukh.report.blocks import Figure, Heading
from slukh.report.markdown import markdown
from slukh.terminal import verdict_lines

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
DUE = BEGAN + timedelta(days=30)
COMMAND = "slukh ab report --seed 1"


def call(number: int, arm: str, language_code: str, *, reason: str = "SPLIT") -> CallRow:
    return CallRow(
        call_id=str(number), caller=None, language_code=language_code, arm=arm, flag_reason=reason,
        flag_version="3-abc", serving="google", models={"google": "chirp_3"}, started_at=BEGAN,
        ended_at=BEGAN, end_reason="hangup",
    )  # fmt: skip


WORDS = Gate(
    name="word error rate in uk-UA", status="wait", detail="60 labels", missing="<b>80</b> labels more",
    expected=DUE, value=0.012, low=-0.004, high=0.031, margin=0.04,
)  # fmt: skip
LATE = Gate(
    name="time to final, p95", status="fail", detail="90 turns", value=0.31, low=0.2, high=0.42, margin=0.15,
    unit="seconds",
)  # fmt: skip
COST = Gate(name="cost per call", status="pass", detail="a, b", value=0.5, margin=1.0, unit="ratio")
DAYS = Gate(
    name="days", status="wait", kind="enough", detail="9 full days", missing="5 days more", expected=DUE
)
CLOCKS = Gate(name="clocks", status="pass", kind="validity", detail="0 calls")
FOUND = Verdict(
    decision="HOLD",
    reasons=(),
    gates=(DAYS, CLOCKS, WORDS, COST),
    expected=DUE,
    evidence=Evidence(
        since=BEGAN,
        until=BEGAN + timedelta(days=9),
        calls=(
            call(1, "google", "uk-UA"), call(2, "whisper", "uk-UA"), call(3, "whisper", "ru-RU"),
            call(4, "whisper", "uk-UA", reason="TARGETING_MATCH"),
        ),
        outcomes=(OutcomeRow(call_id="1"),),
        shadows=(
            ShadowRow(
                call_id="3", utterance_id=1, live="whisper", shadow="google", canonical_version="1-x",
                is_complete=True,
            ),
        ),
        labels=(
            LabelRow(
                call_id="3", utterance_id=1, labeller="olena", probability=0.5, canonical_version="1-x",
                reference="r", words=3, entities=0, google_errors=0, whisper_errors=1,
                google_entity_errors=0, whisper_entity_errors=0,
            ),
        ),
        whisper_share=0.1, flag_version="3-abc", canonical_version={"uk-UA": "1-x"},
    ),
    margins=Margins(),
    seed=1,
)  # fmt: skip


def text(found: Verdict) -> str:
    return markdown(document(found, command=COMMAND), picture=None)


def title(found: Verdict) -> str:
    return next(b.text for b in document(found, command=COMMAND) if isinstance(b, Heading))


def test_the_verdict_is_the_first_line() -> None:
    assert title(FOUND) == "HOLD: 2 of 4 gates are open, not before 2026-12-01"
    undated = replace(FOUND, gates=(DAYS, CLOCKS, replace(WORDS, expected=None)), expected=None)
    assert title(undated) == "HOLD: 2 of 3 gates are open, 1 of them without a date"
    assert title(replace(FOUND, decision="PROMOTE", gates=(CLOCKS, COST))) == "PROMOTE: all 2 gates pass"
    beyond = replace(FOUND, decision="ROLL BACK", gates=(CLOCKS, LATE))
    assert title(beyond) == "ROLL BACK: time to final, p95 is certainly beyond its margin"
    two = replace(beyond, gates=(LATE, replace(WORDS, status="fail"), DAYS))
    assert title(two) == "ROLL BACK: time to final, p95 and 1 more are certainly beyond their margins"


def test_the_question_of_the_owner_has_an_answer() -> None:
    asked = replace(FOUND, evidence=replace(FOUND.evidence, asked_share=0.5))
    assert asked.answer == "May Whisper go from 10% to 50% of the calls? Not yet."
    assert replace(asked, decision="PROMOTE").answer.endswith("Yes.")
    assert replace(asked, decision="ROLL BACK").answer.endswith("No, and it should have fewer.")
    chosen = replace(asked, decision="PROMOTE", evidence=replace(asked.evidence, is_chosen=True))
    assert "Not by this window" in chosen.answer
    same = replace(FOUND, evidence=replace(FOUND.evidence, asked_share=0.1))
    assert same.answer == FOUND.answer == "May Whisper have more than 10% of the calls? Not yet."
    assert asked.answer in text(asked)
    assert verdict_lines(asked.as_json())[1].plain == asked.answer


def test_what_keeps_it_from_passing_stands_first_in_the_terminal() -> None:
    found = replace(FOUND, gates=(replace(CLOCKS, is_empty=True), COST, WORDS, LATE))
    said = [line.plain.split()[0] for line in verdict_lines(found.as_json())[3:]]
    assert [word for word in said if word != "->"] == ["fail", "wait", "pass", "none"]


def test_a_gate_with_nothing_to_look_at_passes_and_vouches_for_nothing() -> None:
    empty = replace(CLOCKS, is_empty=True)
    holds = replace(FOUND, gates=(DAYS, empty, WORDS, COST))
    assert title(holds).endswith("2026-12-01; 1 pass with nothing to look at yet")
    passes = replace(FOUND, decision="PROMOTE", gates=(empty, COST))
    assert title(passes) == "PROMOTE: all 2 gates pass, 1 with nothing to look at"
    assert "| clocks | nothing yet | 0 calls |" in text(holds)
    said = [line.plain for line in verdict_lines(holds.as_json())]
    assert any(re.match("none  clocks", line) for line in said)


def test_what_is_missing_has_its_date() -> None:
    said = text(FOUND)
    assert "| days | 5 days more | 2026-12-01 |" in said
    assert "| word error rate in uk-UA | <b>80</b> labels more | 2026-12-01 |" in said
    assert "What is missing" not in text(replace(FOUND, gates=(CLOCKS, COST)))


def test_every_gate_is_told_with_value_bounds_and_margin_in_its_unit() -> None:
    said = text(replace(FOUND, gates=(*FOUND.gates, LATE)))
    assert "| word error rate in uk-UA | open | 1.20 | −0.40 to 3.10 | 4 pp | 60 labels |" in said
    assert "| time to final, p95 | **fails** | 0.31 | 0.20 to 0.42 | 0.15 s | 90 turns |" in said
    assert "| cost per call | passes | 0.50 |  | 1× | a, b |" in said
    assert "| clocks | passes | 0 calls |" in said


def test_what_was_seen_of_a_measure_stands_to_the_left_like_every_text() -> None:
    assert "|---|---|---:|---:|---:|---|" in re.sub(" ", "", text(FOUND))
    page = html_text(FOUND, command=COMMAND)
    assert re.search(r'<td class="n">4 pp</td><td>60 labels</td>', page)


def test_calls_are_counted_by_arm_and_language() -> None:
    said = text(FOUND)
    assert "| calls by language | google | whisper | not drawn by lot | shadowed | labels |" in said
    assert "| ru-RU | 0 | 1 | 0 | 1 | 1 |" in said
    assert "| uk-UA | 1 | 1 | 1 | 0 | 0 |" in said
    assert "| **all** | **1** | **2** | **1** | **1** | **1** |" in said
    assert "2 of the drawn calls were served by another" in said


def test_what_it_was_made_of_is_frozen_in_it() -> None:
    said = text(FOUND)
    assert "| window | 2026-11-01T00:00:00+00:00 to 2026-11-10T00:00:00+00:00 |" in said
    assert "| flags | 3-abc, Whisper has 10% |" in said
    assert "| model of google | chirp_3 |" in said
    assert "| canonical text, uk-UA | 1-x |" in said
    assert "| seed | 1 |" in said
    assert f"`{COMMAND}`" in said


def test_only_what_has_an_interval_is_in_the_picture() -> None:
    page = html_text(replace(FOUND, gates=(*FOUND.gates, LATE)), command=COMMAND)
    picture = page[page.index("<svg") : page.index("</svg>")]
    assert "word error rate in uk-UA" in picture
    assert "1.20 (−0.40 to 3.10), margin 4 pp" in picture
    assert "cost per call" not in picture
    nothing = replace(FOUND, gates=(DAYS, COST))
    assert not any(isinstance(block, Figure) for block in document(nothing, command=COMMAND))
    assert "No difference is known yet." in text(nothing)


def test_a_verdict_on_no_calls_is_a_page_as_well() -> None:
    nothing = replace(FOUND.evidence, calls=(), shadows=(), labels=(), outcomes=())
    page = html_text(replace(FOUND, gates=(DAYS,), evidence=nothing), command=COMMAND)
    assert page.endswith("</html>\n")


def test_an_interval_far_wider_than_its_margin_leaves_room_for_the_others() -> None:
    wide = replace(WORDS, low=-9.0, high=9.0)
    page = html_text(replace(FOUND, gates=(WORDS, wide)), command=COMMAND)
    ticks = [int(number) for number in re.findall(r">(-?\d+)</text>", page.replace("−", "-"))]
    assert (min(ticks), max(ticks)) == (-4, 6)


def test_a_table_that_scrolls_is_named_after_its_heading() -> None:
    page = html_text(FOUND, command=COMMAND)
    names = re.findall(r'role="region" aria-label="([^"]+)"', page)
    assert names[:2] == ["What is missing", "What Whisper does to calls"]
    assert len({*names}) == len(names)


def test_the_page_fetches_nothing_and_follows_the_reader() -> None:
    page = html_text(FOUND, command=COMMAND)
    assert not re.findall(r"<(script|link|img|iframe|object)\b|@import|src=|url\(h", page)
    assert "@media print" in page
    assert "prefers-color-scheme: dark" in page
    assert not re.findall(r"(?:fill|stroke): #", page)
    assert "&lt;b&gt;80&lt;/b&gt;" in page


def test_where_the_two_differ_is_told_part_by_part_and_decides_nothing() -> None:
    row = FOUND.evidence.shadows[0]
    said = text(
        replace(
            FOUND,
            evidence=replace(
                FOUND.evidence,
                shadows=(
                    replace(row, differing_words=1, live_words=4, shadow_words=4),
                    replace(row, call_id="1", live_words=12, shadow_words=12),
                ),
            ),
        )
    )
    assert "Secondary: nothing passes, fails or waits by these rows" in said
    assert "| ru-RU, 3 to 8 words | language and length | 1 | 25.0% | 0 |  |  |" in said
    assert "Where the two differ" not in text(FOUND)  # one part is all of it


def test_the_terminal_has_the_units_of_the_page() -> None:
    found = replace(FOUND, gates=(WORDS, LATE, replace(COST, low=0.4, high=0.6), DAYS))
    said = "\n".join(line.plain for line in verdict_lines(found.as_json()))
    assert "60 labels, −0.40 to 3.10, margin 4 pp" in said
    assert "90 turns, 0.20 to 0.42, margin 0.15 s" in said
    assert "a, b, 0.40 to 0.60, margin 1×" in said
    word = verdict_lines(replace(FOUND, gates=(COST,)).as_json())[-1].plain
    assert word.endswith("a, b, 0.50, margin 1×")
    assert between(-0.00001, 0.0004, "share") == "0.00 to 0.04"  # no minus before nothing
    assert LATE.reason == "beyond the margin of 0.15 s (90 turns)"
    assert replace(WORDS, missing="").reason == "beyond the margin of 4 pp (60 labels)"
