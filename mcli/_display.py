"""HTML of our own for notebooks: cards and tables. Imported when a notebook asks for one.

No JavaScript, so a saved or untrusted notebook shows the same. Jupyter styles bare tables, lists and `pre` of outputs:
hence spans for facts, and selectors of `.mcli.mcli`, which weigh more. Each output is an island with its own style.
Colours are the theme's where the notebook tells them (Jupyter, VS Code), else those for light or dark.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from mcli._words import age, compute, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mcli.cluster_details import ClusterDetails
    from mcli.run import Run

__all__ = ["cluster_card", "objects_table", "run_card", "runs_table"]

_STYLE = """<style>
.mcli{--ink:var(--jp-content-font-color1,var(--vscode-editor-foreground,#1f2328));
--dim:var(--jp-content-font-color2,var(--vscode-descriptionForeground,#59636e));
--line:var(--jp-border-color2,var(--vscode-panel-border,#d1d9e0));
--ok:#1a7f37;--bad:#cf222e;--go:#0969da;--wait:#7d5b00;--off:#59636e;color:var(--ink);max-width:72em;
font:13px/1.45 var(--jp-content-font-family,system-ui,-apple-system,"Segoe UI",sans-serif)}
@media(prefers-color-scheme:dark){.mcli{
--ink:var(--jp-content-font-color1,var(--vscode-editor-foreground,#e6edf3));
--dim:var(--jp-content-font-color2,var(--vscode-descriptionForeground,#9198a1));
--line:var(--jp-border-color2,var(--vscode-panel-border,#3d444d));
--ok:#3fb950;--bad:#ff7b72;--go:#58a6ff;--wait:#d29922;--off:#9198a1}}
[data-jp-theme-light=true] .mcli{--ok:#1a7f37;--bad:#cf222e;--go:#0969da;--wait:#7d5b00;--off:#59636e}
[data-jp-theme-light=false] .mcli{--ok:#3fb950;--bad:#ff7b72;--go:#58a6ff;--wait:#d29922;--off:#9198a1}
.mcli .status{display:inline-flex;align-items:center;gap:.4em;font-weight:600;white-space:nowrap;color:var(--c)}
.mcli .status::before{content:"";width:.6em;height:.6em;border-radius:50%;background:var(--c)}
.mcli .status.hollow::before{background:none;box-shadow:inset 0 0 0 .13em var(--c)}
.mcli .card{max-width:60em;box-sizing:border-box;border:1px solid var(--line);border-left:3px solid var(--c);
border-radius:6px;padding:.7em 1em;display:grid;gap:.55em}
.mcli .head{display:flex;flex-wrap:wrap;gap:.2em 1em;align-items:baseline}
.mcli .name,.mcli.mcli td.name{font-family:var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace);
overflow-wrap:anywhere}
.mcli .head .name{font-weight:600;font-size:14px}
.mcli .reason{overflow-wrap:anywhere}
.mcli .facts{display:flex;flex-wrap:wrap;gap:.35em 1.8em}
.mcli .facts div{min-width:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.mcli .facts span{display:block;color:var(--dim);font-size:11px}
.mcli .life{display:flex;height:6px;border-radius:3px;overflow:hidden;background:var(--line)}
.mcli .life i{flex:var(--w) 0 2px;background:var(--c)}
.mcli details summary{cursor:pointer;color:var(--dim)}
.mcli.mcli pre{margin:.4em 0 0;padding:0;background:none;color:inherit;white-space:pre-wrap;overflow-wrap:anywhere;
font:12px/1.45 var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace)}
.mcli.mcli table{border-collapse:collapse;border:0;font-size:inherit;margin:0;width:auto;color:inherit}
.mcli.mcli th,.mcli.mcli td{text-align:left;padding:.3em .9em .3em 0;border:0;border-bottom:1px solid var(--line);
vertical-align:baseline;background:none;max-width:24em;font-variant-numeric:tabular-nums}
.mcli.mcli th{color:var(--dim);font-weight:400;font-size:11px;white-space:nowrap}
.mcli.mcli td.short,.mcli.mcli td.name{white-space:nowrap}
.mcli.mcli td.rest{color:var(--dim);width:100%;min-width:10em;max-width:0;overflow:hidden;text-overflow:ellipsis;
white-space:nowrap}
.mcli.mcli.mcli tbody tr:nth-child(n){background:none}
.mcli .wide{overflow-x:auto}
.mcli .wide>table{min-width:100%}
.mcli .read,.mcli .foot{color:var(--dim);font-size:11px}
.mcli .read{margin-left:auto}
.mcli .foot{margin-top:.45em}
.mcli .bar{display:inline-block;width:6em;height:.6em;border-radius:3px;background:var(--line);
vertical-align:middle;margin-right:.5em;overflow:hidden}
.mcli .bar i{display:block;height:100%;background:var(--go)}
</style>"""

_COLOURS = {
    "PENDING": "wait",
    "QUEUED": "wait",
    "STARTING": "go",
    "RUNNING": "go",
    "TERMINATING": "wait",
    "COMPLETED": "ok",
    "FAILED": "bad",
}
_NOT_AT_WORK = {
    "PENDING",
    "QUEUED",
    "STARTING",
    "UNKNOWN",
}  # told by a hollow dot too, for those who see no colours
_OURS = "mosaicml/"
"""What begins so in a run's metadata is the training framework's."""


def run_card(run: Run) -> str:
    """Return a run as a card: status and reason, the time that each status took, what it was given."""
    metadata = {key: value for key, value in (run.metadata or {}).items() if not key.startswith(_OURS)}
    progress = (run.metadata or {}).get(f"{_OURS}training_progress", "")
    rows = [
        ("compute", compute(run)),
        ("cluster", run.cluster),
        ("created", f"{age(run.created_at)} ago"),
        ("ran for" if run.status.is_terminal() else "running for", _ran(run)),
        ("resumption", str(len(run.resumptions)) if len(run.resumptions) > 1 else ""),
        ("by", run.created_by),
        ("image", run.image or ""),
        ("progress", str(progress)),
    ]
    parts = [
        f'<div class="head">{_name(run.name)}{_status(run.status.name)}<span class="read">{_read()}</span></div>',
        f'<div class="reason">{escape(run.reason)}</div>' if run.reason else "",
        _life(run),
        _facts(rows),
        _folded(
            f"metadata ({len(metadata)})", "\n".join(f"{key}: {value}" for key, value in metadata.items())
        ),
        _folded("configuration", str(run.submitted_config) if run.submitted_config else ""),
    ]
    return _island(f'<div class="card" style="--c:{_colour(run.status.name)}">{"".join(parts)}</div>')


def runs_table(runs: Sequence[Run], *, has_more: bool = False) -> str:
    """Return runs as a table of seven columns, or eight where they are of several people."""
    if not runs:
        return _island('<div class="foot">No runs.</div>')
    several = len({run.created_by for run in runs}) > 1
    titles = [
        "name",
        "status",
        "age",
        "ran for",
        "compute",
        "cluster",
        *(["by"] if several else []),
        "reason",
    ]
    rows = [
        [
            f'<td class="name">{escape(run.name)}',
            f"<td>{_status(run.status.name)}",
            f'<td class="short" title="{run.created_at:%Y-%m-%d %H:%M:%S} UTC">{age(run.created_at)}',
            f'<td class="short">{_ran(run)}',
            f'<td class="short">{escape(compute(run))}',
            f"<td>{escape(run.cluster)}",
            *([f'<td class="short">{escape(run.created_by.partition("@")[0])}'] if several else []),
            f'<td class="rest" title="{escape(run.reason or "")}">{escape(run.reason or "")}',
        ]
        for run in runs
    ]
    counts = Counter(run.status.name.lower() for run in runs)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    more = " There are more: next_page(), iter_all()." if has_more else ""
    return _island(f'{_table(titles, rows)}<div class="foot">{len(runs)} runs: {told}.{more} {_read()}</div>')


def cluster_card(cluster: ClusterDetails) -> str:
    """Return a cluster as a card: its instances, and how much of each is used where that is known."""
    used = {
        each.instance.name: (each.gpus_used, each.gpus_total)
        for each in (cluster.utilization.cluster_instance_utils if cluster.utilization else ())
    }
    rows = [
        [
            f'<td class="name">{escape(each.name)}',
            f'<td class="short">{escape(f"{each.gpus}x {each.gpu_type}" if each.gpus else "cpu")}',
            f'<td class="short">{each.nodes}',
            *([f'<td class="short">{_bar(*used.get(each.name, (0, 0)))}'] if used else []),
        ]
        for each in cluster.cluster_instances
    ]
    provider = f'<span style="color:var(--dim)">{escape(cluster.provider)}</span>'
    table = _table(["instance", "a node", "nodes", *(["GPUs in use"] if used else [])], rows)
    head = f'<div class="head">{_name(cluster.name)}{provider}<span class="read">{_read()}</span></div>'
    return _island(f'<div class="card" style="--c:var(--line)">{head}{table}</div>')


def objects_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return any objects as a table, with everything escaped that could be taken for HTML."""
    cells = [[f"<td>{escape('' if cell is None else str(cell))}" for cell in row] for row in rows]
    return _island(_table(columns, cells) if cells else '<div class="foot">Nothing.</div>')


def _island(content: str) -> str:
    return f'<div class="mcli">{_STYLE}{content}</div>'


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join(f"<tr>{''.join(f'{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _name(name: str) -> str:
    return f'<span class="name">{escape(name)}</span>'


def _colour(status: str) -> str:
    return f"var(--{_COLOURS.get(status, 'off')})"


def _status(name: str) -> str:
    hollow = " hollow" if name in _NOT_AT_WORK else ""
    return f'<span class="status{hollow}" style="--c:{_colour(name)}">{escape(name.capitalize())}</span>'


def _ran(run: Run) -> str:
    end = run.completed_at or (None if run.status.is_terminal() else datetime.now(UTC))
    return span((end - run.started_at).total_seconds()) if run.started_at and end else ""


def _life(run: Run) -> str:
    """Return how long each status took, as a bar whose parts tell it when they are pointed at."""
    steps = [
        (step.status.name, ((step.ended_at or datetime.now(UTC)) - step.started_at).total_seconds())
        for step in run.lifecycle
        if step.started_at and not step.status.is_terminal()
    ]
    if not steps:
        return ""
    told = ", ".join(f"{name.capitalize()} {span(seconds)}" for name, seconds in steps)
    parts = "".join(
        f'<i style="--w:{max(seconds, 0):.3g};--c:{_colour(name)}" title="{name.capitalize()} {span(seconds)}"></i>'
        for name, seconds in steps
    )
    return f'<div class="life" role="img" aria-label="{escape(told)}">{parts}</div>'


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    shown = "".join(f"<div><span>{name}</span>{escape(value)}</div>" for name, value in rows if value)
    return f'<div class="facts">{shown}</div>'


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary><pre>{escape(text)}</pre></details>" if text else ""


def _bar(used: int, total: int) -> str:
    share = 100 * used / total if total else 0
    return f'<span class="bar"><i style="width:{share:.0f}%"></i></span>{used} of {total}'


def _read() -> str:
    return f"Read {datetime.now(UTC):%H:%M:%S} UTC"  # a saved notebook goes stale
