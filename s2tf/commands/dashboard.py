"""Create a W&B workspace and report for each of the paper's ablations: losses, samples of each arm, the table."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from s2tf.commands.console import write_json
from s2tf.commands.options import add_json
from s2tf.errors import UserError

if TYPE_CHECKING:
    from s2tf.reporting.dashboards import Dashboard


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    from s2tf.reporting.dashboards import ABLATIONS

    parser.add_argument(
        "ablations", nargs="*", metavar="TABLE", help=f"tables to show, among {', '.join(ABLATIONS)} (default: all)"
    )
    parser.add_argument(
        "--wandb", metavar="ENTITY/PROJECT", help="W&B project in which workspaces and reports are saved"
    )
    parser.add_argument(
        "--runs", type=Path, help="folder of run folders that fill the tables (default: only the paper's numbers)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the dashboards without contacting W&B")
    add_json(parser, "the dashboards and their addresses")


def run(args: argparse.Namespace) -> int:
    """Save the dashboards at W&B, or print them."""
    from s2tf.reporting.dashboards import ABLATIONS, ablation
    from s2tf.reporting.paper_tables import table_markdown
    from s2tf.reporting.wandb_dashboards import save

    if unknown := [name for name in args.ablations if name not in ABLATIONS]:
        raise UserError(f"{unknown[0]} is no ablation with a dashboard, expected one of {', '.join(ABLATIONS)}")
    if args.runs is not None and not args.runs.is_dir():
        raise UserError(f"--runs {args.runs}: no such folder, expected a folder of run folders")
    entity, slash, project = (args.wandb or "").partition("/")
    if not args.dry_run and not (entity and slash and project):
        raise UserError("no W&B project is given: expected --wandb ENTITY/PROJECT, or --dry-run to contact no server")
    records = []
    for name in args.ablations or ABLATIONS:
        shown = ablation(name, table_markdown(name, args.runs))
        record = shown.to_json()
        if args.dry_run:
            print(_summary(shown))
        else:
            record["workspace"], record["report"] = save(shown, entity, project)
            print(f"{shown.title}\n  workspace: {record['workspace']}\n  report:    {record['report']}")
        records.append(record)
    write_json(args.json, records)
    return 0


def _summary(shown: "Dashboard") -> str:
    arms = ", ".join(f"{arm.label} ({' or '.join(arm.groups)})" for arm in shown.arms)
    panels = "; ".join(f"{section.title}: {len(section.panels)} panels" for section in shown.sections)
    return f"{shown.title}\n  arms: {arms}\n  {panels}"
