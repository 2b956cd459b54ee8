"""Draws what a terminal has shown as an animated SVG: each piece of text appears at a moment of its own, and what is above
scrolls out. Browsers that are asked for less motion show the last moment, and those that prefer it dark, dark colours."""

import re
from xml.sax.saxutils import escape

COLUMNS, ROWS = 90, 30
CHARACTER, LINE, MARGIN, BAR = 8.4, 17, 16, 34
# How long things take: a word of a command, the answer, and reading it, by its rows.
WORD_S, ANSWER_S, READ_S, READ_ROW_S, END_S = 0.16, 0.3, 0.7, 0.16, 6

STYLE = """
.screen{fill:#fff;stroke:#d0d7de}.bar{fill:#f6f8fa;stroke:#d0d7de}.dot{fill:#d0d7de}
text{font:14px ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#1f2328;white-space:pre}
.prompt{fill:#1a7f37}.command{fill:#0550ae}.error{fill:#cf222e}.title{fill:#57606a;text-anchor:middle}
@media (prefers-color-scheme:dark){
.screen{fill:#0d1117;stroke:#30363d}.bar{fill:#161b22;stroke:#30363d}.dot{fill:#30363d}
text{fill:#e6edf3}.prompt{fill:#3fb950}.command{fill:#79c0ff}.error{fill:#ff7b72}.title{fill:#9da7b3}
}
"""


def draw(steps):
    """The picture of these steps: the prompt, the command and the lines shown then, of each."""
    pieces, scrolls, row, now = [], [(0, 0)], 0, 0.0
    for prompt, command, shown in steps:
        pieces.append((now, row, 0, prompt, "prompt"))
        row, now = _type(pieces, scrolls, row, now, len(prompt), command)
        now += ANSWER_S
        rows = [(part, _kind(line)) for line in shown for part in _wrapped(line)]
        for part, kind in rows:
            pieces.append((now, row, 0, part, kind))
            row += 1
            _scroll(scrolls, row, now)
        now += READ_S + READ_ROW_S * len(rows)
    return _svg(pieces, scrolls, now + END_S)


def _type(pieces, scrolls, row, now, column, command):
    """Shows a command word by word; returns the next row, and when it is typed."""
    for word in re.findall(r"\S+\s*", command):
        if column + len(word.rstrip()) > COLUMNS:
            row, column = row + 1, 2
            _scroll(scrolls, row, now)
        now += WORD_S
        pieces.append((now, row, column, word.rstrip(), "command"))
        column += len(word)
    row += 1
    _scroll(scrolls, row, now)
    return row, now


def _scroll(scrolls, row, now):
    """Has a row and the one below it, for the next prompt, be in sight from now on."""
    hidden = max(0, row + 1 - ROWS)
    if hidden > scrolls[-1][1]:
        scrolls.append((now, hidden))


def _wrapped(line):
    return [line[start:start + COLUMNS] for start in range(0, len(line), COLUMNS)] or [""]


def _kind(line):
    return "error" if line.startswith("error:") else "answer"


def _svg(pieces, scrolls, duration_s):
    moments = sorted({moment for moment, *_ in pieces})
    number = {moment: index for index, moment in enumerate(moments)}

    def percent(moment):
        return f"{moment / duration_s * 100:.2f}".rstrip("0").rstrip(".") + "%"

    width, height = COLUMNS * CHARACTER + 2 * MARGIN, ROWS * LINE + 2 * MARGIN + BAR
    frames = [f"@keyframes a{index}{{0%{{opacity:0}}{percent(moment)}{{opacity:1}}}}"
              for moment, index in number.items() if moment > 0]
    names = [f".a{index}{{animation-name:a{index}}}" for moment, index in number.items() if moment > 0]
    steps = "".join(f"{percent(moment)}{{transform:translateY({-LINE * rows}px)}}" for moment, rows in scrolls)
    last = f"transform:translateY({-LINE * scrolls[-1][1]}px)"
    texts = [_text(f"a{number[moment]}", row, column, text, kind)
             for moment, row, column, text, kind in pieces if text.strip()]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="title">',
        "<title id=\"title\">The tour of the README in a terminal: a seller puts a book up for sale, a buyer finds and buys it"
        "</title>",
        f"<style>{STYLE}.all{{{last}}}",
        "@media (prefers-reduced-motion:no-preference){",
        f".t,.all{{animation:{duration_s:.1f}s step-end infinite}}.all{{animation-name:scroll}}",
        *names, *frames, f"@keyframes scroll{{{steps}}}", "}</style>",
        f'<clipPath id="inside"><rect y="{BAR + MARGIN}" width="{width:g}" height="{LINE * ROWS + 2}"/></clipPath>',
        f'<rect class="screen" x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" rx="8"/>',
        f'<path class="bar" d="M.5 {BAR}V8.5a8 8 0 0 1 8-8H{width - 8.5:g}a8 8 0 0 1 8 8V{BAR}z"/>',
        *(f'<circle class="dot" cx="{x}" cy="{BAR / 2:g}" r="5.5"/>' for x in (20, 38, 56)),
        f'<text class="title" x="{width / 2:g}" y="{BAR / 2 + 5:g}">marketplace</text>',
        '<g clip-path="url(#inside)"><g class="all" xml:space="preserve">', *texts, "</g></g></svg>", ""])


def _text(moment, row, column, text, kind):
    """A piece of text, as wide as its characters are, whatever font there is."""
    x, y = MARGIN + column * CHARACTER, BAR + MARGIN + LINE * row + 13
    indent = len(text) - len(text.lstrip())
    text = text.strip()
    x += indent * CHARACTER
    return (f'<text class="t {moment} {kind}" x="{x:g}" y="{y}" textLength="{len(text) * CHARACTER:g}" '
            f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>')
