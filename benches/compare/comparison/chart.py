"""The chart: three small panels of bars in one SVG, readable on a light and on a dark page."""

from html import escape

from .peers import OURS

WIDTH, LEFT, ROW, HEAD = 720, 150, 26, 58
PANELS = (
    ("CPU time, ms", lambda row: row["cpu"] * 1000, "{:.0f}"),
    ("Bytes out, MB", lambda row: row["bytes"] / 1e6, "{:.2f}"),
    ("Peak memory, MB", lambda row: (row["peak_kib"] or 0) * 1.024e-3, "{:.0f}"),
)
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .small { fill: #59636e; font-size: 12px }
  .bar { fill: #9aa5b1 } .ours { fill: #1a7f5a } .name-ours { font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .bar { fill: #59636e } .ours { fill: #3fb68b }
  }
"""


def _panel(rows, x, width, panel):
    title, value, form = panel
    top = max(value(row) for row in rows)
    parts = [f'<text x="{x}" y="{HEAD - 10}" class="small">{title}</text>']
    for index, row in enumerate(rows):
        y = HEAD + index * ROW
        length = max(1, value(row) / top * (width - 48)) if top else 1
        kind = "ours" if row["name"] == OURS else "bar"
        label = form.format(value(row)) if value(row) else "failed"
        parts.append(f'<rect x="{x}" y="{y}" width="{length:.1f}" height="16" rx="2" class="{kind}"/>')
        parts.append(f'<text x="{x + length + 5:.1f}" y="{y + 12.5}" class="small">{label}</text>')
    return parts


def draw(rows, title, foot):
    """The SVG's text. Files must be the same for all bars: rows that did fewer are marked with their number."""
    rows = [row for row in rows if row["files"]]
    most = max(row["files"] for row in rows)
    height = HEAD + len(rows) * ROW + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text x="0" y="20" class="title">{escape(title)}</text>',
    ]
    for index, row in enumerate(rows):
        name = row["name"] + (f" ({row['files']} of {most})" if row["files"] < most else "")
        kind = ' class="name-ours"' if row["name"] == OURS else ""
        parts.append(f'<text x="0" y="{HEAD + index * ROW + 12.5}"{kind}>{escape(name)}</text>')
    width = (WIDTH - LEFT) / len(PANELS)
    for index, panel in enumerate(PANELS):
        parts += _panel(rows, LEFT + index * width, width - 16, panel)
    parts += [f'<text x="0" y="{height - 8}" class="small">{escape(foot)}</text>', "</svg>"]
    return "\n".join(parts) + "\n"
