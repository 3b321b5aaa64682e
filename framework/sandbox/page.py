"""The pages of a sandbox: its state with the latest requests, and a form that injects faults."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable
from string import Template
from typing import Final

from framework.paths import JSON
from framework.sandbox.partner import LoggedRequest, Panel, Sandbox

REFRESH: Final = 2
"""Seconds after which the page reloads."""

_LAST = 25
_LONG = 28
_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
$refresh<title>$name sandbox</title>
<style>
:root { --ink: #1b1f24; --soft: #5d6672; --paper: #f5f6f8; --card: #fff; --line: #dfe3e8;
  --good: #12703a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --soft: #9aa4b0; --paper: #15181c; --card: #1e2227; --line: #333a42;
    --good: #6fd494; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; display: grid; gap: 1.25rem; }
h1 { margin: 0; font-size: 1.4rem; }
h2 { margin: 0 0 .6rem; font-size: 1rem; }
header p, .empty { margin: 0; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1rem 1.25rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .75rem .3rem 0; border-top: 1px solid var(--line);
  white-space: nowrap; font-variant-numeric: tabular-nums; }
th { color: var(--soft); font-weight: 500; border-top: 0; }
.number { text-align: right; }
.long { white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
.good { color: var(--good); }
.bad { color: var(--bad); }
a { color: inherit; }
form { display: grid; gap: .9rem; max-width: 34rem; }
label { display: grid; gap: .2rem; color: var(--soft); }
input, select, button { font: inherit; color: var(--ink); background: var(--paper);
  border: 1px solid var(--soft); border-radius: .4rem; padding: .35rem .6rem; min-width: 0; }
button { font-weight: 600; cursor: pointer; }
dl { margin: 0; display: grid; gap: .4rem; } dt { font-weight: 600; } dd { margin: 0; }
</style>
</head>
<body>
<main>
<header>
<h1>$name sandbox</h1>
<p>A simulated partner API; nothing leaves this machine. $told</p>
</header>
$sections
</main>
</body>
</html>
""")

FAULT_FORM: Final = "/__sandbox/fault"
"""The path of the form that injects faults."""

_FORM = Template("""<h2>Inject a fault</h2>
$problem<form method="post" action="$action">
<label>Fault <select name="kind">$kinds</select></label>
<label>On <select name="route">$routes</select></label>
<label>First request <input type="number" name="call" min="1" value="1"></label>
<label>Times <input type="number" name="times" min="1" value="1"></label>
<label>Seconds <input type="number" name="seconds" min="0" step="any" value="1"></label>
<button>Inject fault</button>
</form>""")


def render(sandbox: Sandbox) -> str:
    """Return the page of *sandbox* as a self-contained HTML document."""
    with sandbox.lock:
        panels = (*sandbox.panels(), _faults(sandbox))
        calls = sandbox.requests[-_LAST:]
        now = sandbox.clock.time()
    sections = [*map(_section, panels), _requests(calls)]
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    return _PAGE.substitute(
        name=html.escape(sandbox.name),
        refresh=f'<meta http-equiv="refresh" content="{REFRESH}">\n',
        told=f'Sandbox time: {moment}. <a href="{FAULT_FORM}">Inject a fault</a>',
        sections="\n".join(sections),
    )


def render_form(sandbox: Sandbox, problem: str = "") -> str:
    """Return the form that injects a fault, as a page that does not reload; *problem* is shown."""
    with sandbox.lock:
        routes = ["*", *sorted(sandbox.calls)]
    kinds = "".join(f"<option>{html.escape(kind)}</option>" for kind in sandbox.faults)
    options = "".join(
        f'<option value="{html.escape(one)}">'
        f"{'every request' if one == '*' else html.escape(one)}</option>"
        for one in routes
    )
    told = "".join(
        f"<div><dt>{html.escape(kind)}</dt><dd>{html.escape(text)}</dd></div>"
        for kind, text in sandbox.faults.items()
    )
    failed = f'<p class="bad" role="alert">{html.escape(problem)}</p>' if problem else ""
    form = _FORM.substitute(action=FAULT_FORM, kinds=kinds, routes=options, problem=failed)
    return _PAGE.substitute(
        name=html.escape(sandbox.name),
        refresh="",
        told='<a href="/">Back to its state</a>',
        sections=f"<section>{form}</section>\n<section><h2>Kinds</h2><dl>{told}</dl></section>",
    )


def _faults(sandbox: Sandbox) -> Panel:
    rows = tuple(
        (fault.kind, fault.route, fault.call, fault.times) for fault in sandbox.pending_faults()
    )
    return Panel(
        "Pending faults", ("Kind", "Route", "From request", "Times"), rows, "No pending faults."
    )


def _requests(calls: Iterable[LoggedRequest]) -> str:
    rows = tuple(map(_request_row, reversed(tuple(calls))))
    columns = ("Time", "Route", "Method", "Path", "Response", "Bytes", "Details")
    return _section(Panel("Latest requests", columns, rows, "No requests yet."))


def _request_row(call: LoggedRequest) -> tuple[JSON, ...]:
    at = time.strftime("%H:%M:%S", time.gmtime(call.at))
    status = "dropped" if call.status is None else str(call.status)
    shown = f"{status} ({call.fault})" if call.fault else status
    note = ", ".join(f"{name} {value}" for name, value in call.note.items())
    return at, call.route, call.method, call.path, shown, call.size, note


def _section(panel: Panel) -> str:
    title = f"<h2>{html.escape(panel.title)}</h2>"
    if not panel.rows:
        return f'<section>{title}<p class="empty">{html.escape(panel.empty)}</p></section>'
    numeric = [isinstance(cell, int | float) for cell in panel.rows[0]]
    head = "".join(
        f'<th scope="col"{_class("number" if number else "")}>{html.escape(column)}</th>'
        for column, number in zip(panel.columns, numeric, strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in panel.rows)
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f"<section>{title}<table>{table}</table></section>"


def _cell(value: JSON) -> str:
    if value is None:
        return "<td>–</td>"  # noqa: RUF001 - a dash for an empty cell
    number = isinstance(value, int | float)
    text = f"{value:,}" if number else str(value)
    return f"<td{_class('number' if number else _look(text))}>{html.escape(text)}</td>"


def _look(text: str) -> str:
    """Return the CSS class of a cell: colors for statuses, line breaks for long texts."""
    if len(text) > _LONG:
        return "long"
    status = text.partition(" ")[0]
    if status == "dropped" or (len(status) == 3 and status[0] in "45" and status.isdecimal()):
        return "bad"
    return "good" if status == "200" else ""


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""
