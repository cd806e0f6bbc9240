"""Dashboards as objects of the library `wandb-workspaces`, which saves them at W&B."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from s2tf.errors import UserError
from s2tf.reporting.dashboards import Dashboard, Panel

STEP = "trainer/global_step"
GROUP = "Group"
"""W&B's name for the group of a run: our experiment, whose seeds are the runs of the group."""


def save(dashboard: Dashboard, entity: str, project: str) -> tuple[str, str]:
    """Save workspace and report at W&B; returns their addresses.

    Raises:
        UserError: The library is not installed, the user is not logged in, or W&B cannot be reached or refuses.
    """
    with _library() as library:
        try:
            workspace = build_workspace(dashboard, entity, project, library).save()
            report = build_report(dashboard, entity, project, library).save()
        # The library raises bare exceptions without a login, and those of three other libraries elsewhere.
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"W&B did not take the dashboard of {dashboard.table} for {entity}/{project}: {reason}; "
                "`--dry-run --json FILE` writes what it would show"
            ) from error
    return workspace.url, report.url


def build_workspace(dashboard: Dashboard, entity: str, project: str, library: Any = None) -> Any:
    """Return a `Workspace` with the runs of all arms; each experiment is one line with the range of its runs."""
    with _library(library) as lib:
        groups = [group for arm in dashboard.arms for group in arm.groups]
        sections = [
            lib.ws.Section(name=one.title, panels=[_panel(panel, lib) for panel in one.panels], is_open=True)
            for one in dashboard.sections
        ]
        runs = lib.ws.RunsetSettings(
            filters=[lib.expr.Metric(GROUP).isin(groups)],
            groupby=[lib.expr.Metric(GROUP)],
            pinned_columns=[f"summary:{column}" for column in dashboard.columns],
        )
        return lib.ws.Workspace(
            entity=entity, project=project, name=dashboard.title, sections=sections, runset_settings=runs
        )


def build_report(dashboard: Dashboard, entity: str, project: str, library: Any = None) -> Any:
    """Return a `Report`: the table as text, then each section with a set of runs for each arm."""
    with _library(library) as lib:
        blocks: list[Any] = [lib.wr.TableOfContents(), lib.wr.MarkdownBlock(dashboard.text)]
        for section in dashboard.sections:
            # A set without entity and project belongs to the report's own, and needs no request to the server.
            runs = [
                lib.wr.Runset(
                    name=arm.label,
                    filters=[lib.expr.Metric(GROUP).isin(list(arm.groups))],
                    groupby=[GROUP],
                    visible_columns=[f"summary:{column}" for column in dashboard.columns],
                )
                for arm in dashboard.arms
            ]
            panels = [_panel(panel, lib) for panel in section.panels]
            blocks += [lib.wr.H2(section.title), lib.wr.PanelGrid(runsets=runs, panels=panels)]
        return lib.wr.Report(entity=entity, project=project, title=dashboard.title, blocks=blocks, width="fluid")


def _panel(panel: Panel, lib: Any) -> Any:
    if panel.kind == "lines":
        # The mean over an arm's seeds, in a band from the smallest to the largest.
        return lib.wr.LinePlot(
            title=panel.title,
            x=STEP,
            y=list(panel.keys),
            groupby=GROUP,
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
    if panel.kind == "bars":
        metrics = [lib.wr.SummaryMetric(key) for key in panel.keys]
        return lib.wr.BarPlot(title=panel.title, metrics=metrics, groupby=GROUP, groupby_rangefunc="stddev")
    # Runs beside each other, steps below each other.
    return lib.wr.MediaBrowser(
        title=panel.title, media_keys=list(panel.keys), mode="grid", grid_x_axis="run", grid_y_axis="step"
    )


@contextmanager
def _library(given: Any = None) -> Iterator[Any]:
    """Import the modules of `wandb-workspaces` without its warnings of its own use of old pydantic."""
    if given is not None:
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import wandb_workspaces.reports.v2 as wr
            import wandb_workspaces.workspaces as ws
            from wandb_workspaces import expr
        except ImportError as error:
            raise UserError(
                f'dashboards need the library wandb-workspaces: pip install "s2tf[dashboard]" ({error})'
            ) from error
        yield SimpleNamespace(wr=wr, ws=ws, expr=expr)
