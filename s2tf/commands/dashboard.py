"""W&B workspace and report of each of the paper's ablations: losses, samples by arm, the table."""

import argparse
import json
from pathlib import Path

from s2tf.errors import UserError
from s2tf.reporting.dashboards import ABLATIONS, Dashboard, ablation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "ablations", nargs="*", metavar="TABLE", help=f"of {', '.join(ABLATIONS)}; all of them where none is named"
    )
    parser.add_argument("--wandb", metavar="ENTITY/PROJECT", help="where they are made")
    parser.add_argument("--runs", type=Path, help="fill the tables from finished runs below here, beside the paper's")
    parser.add_argument("--dry-run", action="store_true", help="ask no server: say what would be shown")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what is shown, and where")


def run(args: argparse.Namespace) -> int:
    """Make the dashboards, or say what they would show."""
    if unknown := [name for name in args.ablations if name not in ABLATIONS]:
        raise UserError(f"{unknown[0]}: no ablation with a dashboard, expected one of {', '.join(ABLATIONS)}")
    entity, slash, project = (args.wandb or "").partition("/")
    if not args.dry_run and not (entity and slash and project):
        raise UserError("give --wandb ENTITY/PROJECT, or --dry-run to ask no server")
    records = []
    for name in args.ablations or ABLATIONS:
        shown = ablation(name, table_text(name, args.runs))
        record = shown.to_json()
        if args.dry_run:
            print(_summary(shown))
        else:
            from s2tf.reporting.wandb_dashboards import save

            record["workspace"], record["report"] = save(shown, entity, project)
            print(f"{shown.title}\n  workspace: {record['workspace']}\n  report:    {record['report']}")
        records.append(record)
    if args.json:
        args.json.write_text(json.dumps(records, indent=2, ensure_ascii=False) + "\n")
    return 0


def table_text(name: str, runs: Path | None) -> str:
    """The paper's table in Markdown, with our finished runs where there are such."""
    from s2tf.reporting.build_table import build_table
    from s2tf.reporting.paper import TABLES
    from s2tf.reporting.paper_tables import NothingMeasuredError, Sources, report_table

    if runs is not None:
        try:
            return report_table(name, Sources(runs)).markdown()
        except NothingMeasuredError:
            pass
    return build_table(TABLES[name], {}).markdown()


def _summary(shown: Dashboard) -> str:
    arms = ", ".join(f"{arm.label} ({' or '.join(arm.groups)})" for arm in shown.arms)
    panels = "; ".join(f"{section.title}: {len(section.panels)} panels" for section in shown.sections)
    return f"{shown.title}\n  arms: {arms}\n  {panels}"
