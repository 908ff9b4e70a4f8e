"""Explained texts as one small HTML file that needs nothing else: every token on the colour of its share.

The colours are those of the pictures (colours.py): blue speaks against, orange red for; how strong, by its opacity, so
that the page reads on light and dark paper alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ft.core.report.colours import SIGNED
from ft.core.report.text import number

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e22; --faint: #686c74; --line: #e3e5e9 }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e8eaee; --faint: #9ba0aa; --line: #2c3038 } }
body { background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; margin: 0 auto;
  max-width: 46rem; padding: 2rem 1rem }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1rem; margin: 0 0 .4rem } p { margin: .3rem 0 }
section { border-top: 1px solid var(--line); margin-top: 1.5rem; padding-top: 1.2rem }
.faint { color: var(--faint); font-size: .85rem }
.text { line-height: 2.1; overflow-wrap: anywhere; font-size: 1.05rem }
.runs { font-size: .9rem } small { color: var(--faint) }
.text span { border-radius: .25em; padding: .15em .2em; white-space: pre-wrap }
.scale { background: linear-gradient(90deg, rgb(AGAINST), transparent, rgb(FOR)); border-radius: .25em; height: .6rem;
  max-width: 16rem }
.ends { display: flex; justify-content: space-between; max-width: 16rem }
"""


@dataclass(frozen=True)
class Told:
    """One text. title: what was answered. note: how it was found out. tokens: each with its share; runs: of neighbours,
    the same. joint: what stands between two tokens, a space or nothing.
    """

    name: str
    title: str
    note: str
    tokens: Sequence[tuple[str, float]]
    joint: str
    runs: Sequence[tuple[str, float]] = ()


def render(title: str, texts: Sequence[Told]) -> str:
    """The page. Every text has a scale of its own: its strongest token is fully coloured."""
    low, high = (", ".join(map(str, SIGNED[place].tolist())) for place in (16, 239))
    style = STYLE.replace("AGAINST", low).replace("FOR", high)
    parts = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n<h1>{escape(title)}</h1>",
        '<div class="scale" role="img" aria-label="blue speaks against, red for"></div>',
        '<div class="ends faint"><span>against</span><span>for</span></div>',
        *(_section(text, low, high) for text in texts),
    ]
    return "\n".join(parts) + "\n</html>\n"


def _section(text: Told, low: str, high: str) -> str:
    most = max((abs(share) for _, share in (*text.tokens, *text.runs)), default=0.0) or 1.0
    tokens = text.joint.join(_token(token, share, most, low, high) for token, share in text.tokens)
    runs = " ".join(_token(run, share, most, low, high) for run, share in text.runs)
    more = f'<p class="text runs"><small>neighbours </small>{runs}</p>\n' if runs else ""
    return (
        f'<section>\n<h2>{escape(text.title)}</h2>\n<p class="text">{tokens or "(empty)"}</p>\n{more}'
        f'<p class="faint">{escape(text.name)} · {escape(text.note)}</p>\n</section>'
    )


def _token(token: str, share: float, most: float, low: str, high: str) -> str:
    colour = high if share > 0 else low
    opacity = 0.75 * abs(share) / most
    return f'<span style="background: rgba({colour}, {opacity:.2f})" title="{number(share)}">{escape(token)}</span>'
