"""Sources of a report's numbers: our run folders, results of any system, and W&B."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2tf.errors import UserError
from s2tf.evaluation.scores import METRICS_FILE
from s2tf.reporting.paper import TABLES
from s2tf.reporting.wandb_records import LoggedRuns
from s2tf.tables.names import normal_name


@dataclass(frozen=True)
class Result:
    """A `metrics.json` of any system, and the row that it belongs to."""

    name: str
    """A row's label, or a new one."""
    path: Path
    """The file."""
    table: str | None = None
    """Name of its table, such as `table8`; None in a report of a single table."""

    @classmethod
    def parse(cls, text: str) -> "Result":
        """Parse `NAME=PATH` or `TABLE:NAME=PATH`, where the path is the file or its folder.

        Raises:
            UserError: The text has another form.
        """
        table, _, rest = text.partition(":")
        left, equals, path = (rest if table in TABLES else text).partition("=")
        if not (left.strip() and equals and path):
            raise UserError(f"--results {text}: expected NAME=PATH or TABLE:NAME=PATH, such as table8:HRTF=results")
        found = _in_any_case(Path(path))
        file = found / METRICS_FILE if found.is_dir() else found
        return cls(normal_name(left.strip()), file, table if table in TABLES else None)


def _in_any_case(path: Path) -> Path:
    """Return a path, or the one beside it whose name differs in upper and lower case only, such as hrtf for HRTF."""
    if path.exists() or not path.parent.is_dir():
        return path
    alike = [one for one in sorted(path.parent.iterdir()) if one.name.casefold() == path.name.casefold()]
    return alike[0] if alike else path


@dataclass(frozen=True)
class Sources:
    """Everything that a report's numbers are read from."""

    runs: Path | None
    """A folder of run folders."""
    results: Sequence[Result] = ()
    logged: LoggedRuns = field(default_factory=LoggedRuns)
    """Runs found in W&B."""
    mixed: bool = False
    """True if rows of different protocols may stand in one table."""


def parse_arms(texts: Sequence[str], table: str | None) -> list[Result]:
    """Parse folders that `s2tf evaluate arms` or `evaluate pipeline` has written: a subfolder is the row of its name.

    Args:
        texts: `FOLDER` or `TABLE=FOLDER`.
        table: The only table of the report; None where each folder must name its table.

    Raises:
        UserError: A text has another form or names another table, a folder is given twice or holds no results.
    """
    results: list[Result] = []
    seen: set[tuple[str, Path]] = set()
    for text in texts:
        named, folder = _arms_place(text, table)
        if (named, folder.resolve()) in seen:
            raise UserError(f"--arms {text}: given twice, expected another folder for each seed")
        seen.add((named, folder.resolve()))
        results += [Result(normal_name(path.parent.name), path, named) for path in _arm_files(text, folder)]
    return results


def _arms_place(text: str, table: str | None) -> tuple[str, Path]:
    """Split `FOLDER` or `TABLE=FOLDER` into table and folder."""
    left, equals, rest = text.partition("=")
    if equals and left not in TABLES and not Path(text).exists() and Path(rest).exists():
        raise UserError(f"--arms {text}: {left!r} is no table, expected one of {', '.join(TABLES)}")
    named, folder = (left, rest) if equals and left in TABLES else (table, text)
    if not folder:
        raise UserError(f"--arms {text or repr(text)}: names no folder, expected one that `s2tf evaluate arms` wrote")
    if named is None:
        raise UserError(f"--arms {text}: expected its table too, such as table10={text}")
    if table not in (None, named):
        raise UserError(f"--arms {text}: belongs to {named}, but the report is {table}")
    return named, Path(folder)


def _arm_files(text: str, folder: Path) -> list[Path]:
    """Find the results in a folder of arms, one or more."""
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"--arms {text}: {folder} {state}, expected a folder that `s2tf evaluate arms` wrote")
    found = sorted(folder.glob(f"*/{METRICS_FILE}"))
    if not found and (folder / METRICS_FILE).is_file():
        raise UserError(f"--arms {text}: the folder of one arm, expected that of all: {folder.resolve().parent}")
    if not found:
        raise UserError(f"--arms {text}: no {METRICS_FILE} in any folder in {folder}")
    return found


def parse_results(texts: Sequence[str], table: str | None) -> list[Result]:
    """Parse the results that are given for a report.

    Args:
        texts: Results as in `Result.parse`.
        table: The only table of the report; None where each result must name its table.

    Raises:
        UserError: A result has another form, names another table than the report's, or names none where it must.
    """
    results = [Result.parse(text) for text in texts]
    for text, result in zip(texts, results, strict=True):
        if table is None and result.table is None:
            raise UserError(f"--results {text}: expected its table too: table8:{result.name}=...")
        if table is not None and result.table not in (None, table):
            raise UserError(f"--results {text}: belongs to {result.table}, but the report is {table}")
    return results
