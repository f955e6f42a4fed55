"""Plots as SVG that follows the reader's light or dark.

matplotlib knows colours, not roles: it draws in the light palette below, and each of those colours becomes a
CSS variable. The page defines the variables; a file of its own carries them with it.
"""

import io
import re
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

PALETTE = {
    "paper": ("#ffffff", "#16181b"),
    "ink": ("#1c1e21", "#e8eaed"),
    "soft": ("#5d636b", "#a3aab3"),
    "rule": ("#d5d9de", "#3a3f46"),
    "band": ("#e4e8ee", "#2a3038"),
    # Okabe and Ito's colours, which colour-blind people tell apart; brighter ones in the dark.
    "stt": ("#0072b2", "#56b4e9"),
    "llm": ("#d55e00", "#f0803c"),
    "tts": ("#009e73", "#2cc79b"),
    "line": ("#e0a100", "#f0c648"),
    "fixed": ("#8a6bb1", "#b79be0"),
}
COLOURS = {name: light for name, (light, _) in PALETTE.items()}

# Texts stay texts, in the reader's font; ids do not hang on chance.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "slukh",
    "text.parse_math": False,  # a dollar is a dollar
    "font.size": 10,
    "axes.edgecolor": COLOURS["rule"],
    "axes.labelcolor": COLOURS["soft"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "text.color": COLOURS["ink"],
    "figure.facecolor": COLOURS["paper"],
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.labelcolor": COLOURS["ink"],
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def inline(figure: Figure, name: str, caption: str) -> str:
    """An `<svg>` for a page that defines the variables; `name` keeps its ids apart from other plots'."""
    with mpl.rc_context(STYLE):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"'DejaVu Sans'.*?sans-serif", _FONT, text)
    for role, colour in COLOURS.items():
        text = text.replace(colour, f"var(--{role})")
    size = r' (?:width|height)="[0-9.]+pt"'
    head, body = text.split(">", 1)
    head = re.sub(size, "", head)
    return f'{head} role="img" aria-label="{_attribute(caption)}">{body.rstrip()}'


def standalone(svg: str) -> str:
    """The same as a file: with its own variables, light and dark."""
    light, dark = (
        "".join(f"--{role}:{colours[number]};" for role, colours in PALETTE.items()) for number in (0, 1)
    )
    style = f"<style>svg{{{light}}}@media(prefers-color-scheme:dark){{svg{{{dark}}}}}</style>"
    head, body = svg.split(">", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>\n{style}{body}\n'


def _attribute(text: str) -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return re.sub(r"[*`]", "", text)
