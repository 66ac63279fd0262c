"""Shows a view in a terminal, in its full width."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from segguided.shown import printable
from segguided.status import facts
from segguided.status.hours import Hours
from segguided.status.state import Command
from segguided.status.view import JobRow, Trouble, View
from segguided.status.words import count, hours, moment

COLORS = {
    "running": "green",
    "finished": "green",
    "starting": "cyan",
    "stopping": "yellow",
    "interrupted": "yellow",
    "failed": "red",
    "killed": "red",
    "away": "yellow",
    "none": "cyan",
}
MOST_ROWS = 12
MOST_LINES = 8


def _text(text: str, style: str = "") -> Text:
    """Text from logs, names and servers, without markup and without control characters of terminals."""
    return Text(printable(text), style=style)


def rendered(view: View) -> Group:
    """All parts of the view, the most urgent first."""
    return Group(*_parts(view))


def _parts(view: View) -> Iterator[RenderableType]:
    yield _headline(view)
    for note in view.notes:
        yield _text(note, style="yellow")
    if view.orphans:
        yield _orphans(view)
    if view.command and view.state.kind != "failed":
        yield _command(view.command)
    if view.running:
        yield _jobs("Running" if view.state.alive else "Running without Snakemake", view.running, view)
    yield from (_trouble(trouble) for trouble in view.failed[:MOST_ROWS])
    if len(view.failed) > MOST_ROWS:
        yield _text(f"and {len(view.failed) - MOST_ROWS} more failed jobs", style="red")
    if view.command and view.state.kind == "failed":  # first what to fix
        yield _command(view.command)
    if view.unseen:
        yield _jobs("Not visible from this host", view.unseen, view)
    if view.gone:
        yield _jobs("Not finished", view.gone, view)
    if view.retried:
        yield _retried(view)
    if view.queued:
        yield _queued(view)
    if view.rules and view.done < view.total:
        yield _rules(view)
    if view.hours:
        yield _hours(view)


def _headline(view: View) -> Panel:
    color = COLORS[view.state.kind]
    parts: list[RenderableType] = [_text(view.state.detail)]
    if view.total:
        line = Table.grid(padding=(0, 2), expand=True)
        line.add_column(ratio=1)
        line.add_column(no_wrap=True)
        bar = ProgressBar(view.total, view.done, complete_style=color, finished_style=color)
        line.add_row(bar, f"{view.done:,} of {count(view.total, 'job')}")
        parts += [line, _text(facts.counts_of(view), style="dim")]
    title = _text(f" {view.state.title} ", style=f"bold {color}")
    return Panel(
        Group(*parts), title=title, title_align="left", border_style=color, subtitle=_text(str(view.folder))
    )


def _command(command: Command) -> Panel:
    lines = Group(_text(f"# {command.why}", style="dim"), _text(command.text, style="bold"))
    return Panel(lines, title="To go on", title_align="left", border_style="cyan")


def _orphans(view: View) -> Panel:
    lines = [
        _text(f"{orphan.what}  {f'SLURM {orphan.slurm}' if orphan.slurm else orphan.pid}")
        for orphan in view.orphans
    ]
    title = "Still running, and no Snakemake waits for it"
    return Panel(Group(*lines), title=title, title_align="left", border_style="red")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, expand=True)
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in RIGHT else "left")
    return table


RIGHT = {"jobs", "done", "running", "queued", "failed", "waiting", "attempts", "GPU hours", "CPU-run hours"}


def _jobs(title: str, rows: list[JobRow], view: View) -> Table:
    table = _table(title, "job", "progress", "where")
    for column, ratio in zip(table.columns, (4, 4, 3), strict=True):
        column.ratio = ratio
    for row in rows[:MOST_ROWS]:
        job = Text("\n").join([_text(facts.title_of(row)), _text(facts.subtitle_of(row), "dim")])
        table.add_row(job, _progress(row, view), _text(facts.where_of(row, view.now), style="dim"))
    if len(rows) > MOST_ROWS:
        table.add_row(f"and {len(rows) - MOST_ROWS} more", "", "")
    return table


def _progress(row: JobRow, view: View) -> RenderableType:
    progress = row.progress
    if progress is None:
        return _text(facts.line_of(row, view.now), style="dim")
    numbers = [facts.steps_of(progress), facts.losses_of(progress), facts.speed_of(progress)]
    if row.life != "gone":
        numbers.append(facts.left_of(progress))
    lines = Table.grid()
    lines.add_row(ProgressBar(1.0, facts.share_of(progress), width=28))
    lines.add_row(_text(" · ".join(filter(None, numbers))))
    return lines


def _trouble(trouble: Trouble) -> Panel:
    job = trouble.job
    failure = trouble.failure
    lines = "\n".join(trouble.lines.splitlines()[-MOST_LINES:])
    title = _text(
        f" Failed: {job.name}, attempt {failure.attempt}, {moment(failure.time)} ",
        style="bold red",
    )
    others = f" (and {count(trouble.others, 'job')} of its group with it)" if trouble.others else ""
    parts: list[RenderableType] = [_text(f"{trouble.diagnosis.what}{others}", style="red")]
    if lines:
        parts.append(_text(lines, style="dim"))
    parts += [_text(f"log: {path}", style="dim") for path in failure.logs or job.logs]
    parts.append(_text(f"→ {trouble.diagnosis.advice}", style="bold"))
    return Panel(Group(*parts), title=title, title_align="left", border_style="red")


def _retried(view: View) -> Table:
    table = _table("Failed before and tried again", "job", "attempt", "when", "what happened")
    for trouble in view.retried[:MOST_ROWS]:
        failure = trouble.failure
        what = _text(trouble.diagnosis.what, style="yellow")
        table.add_row(_text(trouble.job.name), str(failure.attempt), moment(failure.time), what)
    return table


def _queued(view: View) -> Table:
    table = _table("In SLURM's queue", "job", "SLURM", "why it waits")
    for row in view.queued[:MOST_ROWS]:
        number = row.slurm.number if row.slurm else ""
        table.add_row(_text(facts.title_of(row)), _text(number), _text(facts.reason_of(row)))
    if len(view.queued) > MOST_ROWS:
        table.add_row(f"and {len(view.queued) - MOST_ROWS} more", "", "")
    return table


def _rules(view: View) -> Table:
    table = _table("Rules", "rule", "done", "running", "queued", "failed", "waiting", "jobs")
    for rule in view.rules:
        if rule.done < rule.total:
            numbers = (rule.done, rule.running, rule.queued, rule.failed, rule.waiting, rule.total)
            table.add_row(_text(rule.rule), *(f"{value:,}" if value else "" for value in numbers))
    return table


def _hours(view: View) -> Table:
    table = _table(
        "Cost so far, trainings over all attempts", "rule", "jobs", "attempts", "GPU hours", "CPU-run hours"
    )
    for rule in view.hours:
        table.add_row(_text(rule.rule), *_cost_cells(rule))
    total = Hours("all")
    for rule in view.hours:
        total.jobs += rule.jobs
        total.attempts += rule.attempts
        total.gpu += rule.gpu
        total.cpu += rule.cpu
    table.add_section()
    table.add_row(total.rule, *_cost_cells(total), style="bold")
    return table


def _cost_cells(rule: Hours) -> list[str]:
    return [str(rule.jobs), str(rule.attempts), _hours_cell(rule.gpu), _hours_cell(rule.cpu)]


def _hours_cell(value: float) -> str:
    return hours(value) if value else ""
