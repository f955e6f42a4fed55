"""The alerts name what there is, and whoever is woken by one finds its section."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from slukh.monitoring.declarations import DECLARATIONS, FIXED_SETS, OTHER
from slukh.serving.gateway import LAST_FINALS_SECONDS
from slukh.serving.process import NOT_READY
from slukh.settings.config import Settings

ROOT = Path(__file__).parents[3]
ALERTS = ROOT / "examples" / "prometheus" / "alerts.yml"
RULES: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
DECLARED = {declared.name: declared for declared in DECLARATIONS}

PROMETHEUS_OWN = {"up": {"instance", "job"}}
ADDED = {"instance", "job", "le"}  # by the scrape, and by a histogram
NO_METRICS = {"and", "by", "histogram_quantile", "increase", "min", "or", "rate", "sum"}
_SELECTOR = re.compile(r"\b([a-z_]+)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """Names and matchers of the series that an expression asks for."""
    without = re.sub(r"\bby \([^)]*\)|\[[^]]*\]", "", expression)
    for name, matchers in _SELECTOR.findall(without):
        if name not in NO_METRICS:
            yield name.removesuffix("_bucket"), matchers


def sections() -> set[str]:
    """The anchors of the runbook."""
    page = (ROOT / "doc" / "operations.md").read_text(encoding="utf-8")
    titles = re.findall(r"^#{2,} (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_asks_for_metrics_and_label_values_that_there_are(rule: dict[str, Any]) -> None:
    asked = list(selectors(rule["expr"]))
    assert asked
    for name, matchers in asked:
        if name in PROMETHEUS_OWN:
            continue
        for label, how, values in _MATCHER.findall(matchers):
            known = {*FIXED_SETS.get(DECLARED[name].labels[label], ()), OTHER}
            assert set(values.split("|") if "~" in how else [values]) <= known
    known_labels = ADDED.union(*(PROMETHEUS_OWN.get(n) or DECLARED[n].labels for n, _ in asked))
    by = re.findall(r"by \(([^)]*)\)", rule["expr"])
    shown = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    assert {label.strip() for each in by for label in each.split(",")} | set(shown) <= known_labels


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_waits_says_how_urgent_it_is_and_has_its_section(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+m", rule["for"])
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook"] == f"doc/operations.md#{rule['alert'].lower()}"
    assert rule["alert"].lower() in sections()


def test_no_section_is_left_of_an_alert_that_is_gone() -> None:
    alerts = {rule["alert"].lower() for rule in RULES}
    assert {section for section in sections() if section.startswith("slukh")} == alerts


@pytest.mark.parametrize("reason", NOT_READY)
def test_a_reason_of_readyz_has_its_section(reason: str) -> None:
    assert reason in sections()


def test_the_log_has_the_events_that_the_runbook_explains() -> None:
    page = (ROOT / "doc" / "operations.md").read_text(encoding="utf-8")
    table = page.partition("## What the log says")[2].partition("\n## ")[0]
    cells = "".join(row.split("|")[1] for row in table.splitlines() if row.startswith("| `"))
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    events = re.findall(r"`(\w+)`", cells)
    assert events
    assert not [event for event in events if f'"{event}"' not in source]


def test_links_within_the_runbook_lead_somewhere() -> None:
    page = (ROOT / "doc" / "operations.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= sections()
    for path in re.findall(r"\]\(([^)#]+)\)", page):
        assert (ROOT / "doc" / path).exists(), path


def test_systemd_waits_for_a_drain_and_leaves_the_recogniser_to_it() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read(ROOT / "examples" / "systemd" / "slukh.service")
    service = unit["Service"]
    drain = Settings.model_fields["slukh_drain_seconds"].default + 2 * LAST_FINALS_SECONDS
    assert drain < int(service["TimeoutStopSec"]) <= drain + 60
    assert (service["KillMode"], service["Restart"]) == ("mixed", "always")
