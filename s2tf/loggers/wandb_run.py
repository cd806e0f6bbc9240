"""W&B's run of a run folder: it continues over restarts, with every row once."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import requests
import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities.rank_zero import rank_zero_only, rank_zero_warn

from s2tf.fault_tolerance.journal import Journal, Row
from s2tf.fault_tolerance.wandb_page import OFFLINE
from s2tf.loggers.journal import JournalFollower
from s2tf.loggers.wandb_files import find_files, last_step

STEP = "trainer/global_step"
REACH_TIMEOUT = 15.0
FINISH_TIMEOUT = "30"
"""Seconds to wait for W&B to finish; the next start sends the rest, since a job that is queued again cannot wait."""


class WandbRun(WandbLogger, JournalFollower):
    """Lightning's `WandbLogger`, whose rows come from the run's journal and have its numbers.

    W&B takes each row number once, in rising order. A run that was killed begins again at its last checkpoint and then
    reaches rows that W&B already has: online, W&B would drop each with a warning; offline, they would be in both files
    and be doubled by `wandb sync`. This logger therefore finds W&B's last row, skips the rows up to it, and sends the
    rows that the killed process could not send, from the journal.

    If W&B cannot be reached or the user is not logged in, the run is written to disk and can be synced later.

    Args:
        project, entity, id, name, group, job_type, tags, notes: settings of W&B's run; `s2tf fit` fills in those that
            the YAML leaves out.
        save_dir: folder in which W&B's folder `wandb` lies; the default is the run folder.
        offline: write to disk only.
        resume: W&B's treatment of an existing run with the same id.
    """

    def __init__(
        self,
        project: str | None = None,
        entity: str | None = None,
        id: str | None = None,
        name: str | None = None,
        group: str | None = None,
        job_type: str | None = None,
        tags: list[str] | None = None,
        notes: str | None = None,
        save_dir: str = ".",
        offline: bool = False,
        resume: Literal["allow", "never", "must", "auto"] = "allow",
    ) -> None:
        named: dict[str, Any] = {"entity": entity, "group": group, "job_type": job_type, "tags": tags, "notes": notes}
        super().__init__(name=name, save_dir=save_dir, id=id, project=project, offline=offline, resume=resume, **named)
        self._journal: Journal | None = None
        self._last: int | None = None

    def follow(self, journal: Journal) -> None:
        """Read the rows from this journal from now on."""
        self._journal = journal
        journal.followers.append(self._take)

    @property
    def experiment(self) -> Any:
        """W&B's run, begun on first access."""
        if self._experiment is not None or not _is_first():
            return super().experiment
        # Begin a new W&B process: an inherited one may have ended, or still hold the run of a killed process.
        os.environ.pop(wandb.env.SERVICE, None)
        # Without a limit, W&B would wait at the end for a server that is gone.
        os.environ.setdefault("WANDB_FINISH_TIMEOUT", FINISH_TIMEOUT)
        # Online if possible, else on disk.
        problem = "" if self._offline else _unreachable()
        with self.guarded():
            if not problem:
                try:
                    return super().experiment
                except wandb.errors.Error as error:
                    problem = str(error).splitlines()[0]
            rank_zero_warn(f"W&B: {problem}: this run is written to disk, for `wandb sync`")
            self._wandb_init["mode"] = "offline"
            return super().experiment
        return self._experiment

    @property
    def page(self) -> str:
        """The address of W&B's run, `offline` where it is written to disk, or `disabled`."""
        run = self.experiment
        if run.disabled:
            return "disabled"
        return OFFLINE if run.offline else str(run.url)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Continue without W&B if its process dies within the `with` block; nothing more is logged to it then.

        SLURM sends its signals to all processes of a job, and TERM ends W&B's. The rows are in the journal, and the
        next start sends them.
        """
        try:
            yield
        except ConnectionError as error:
            rank_zero_warn(f"W&B's process has ended ({error}): the next start sends the missing rows")
            self._experiment = wandb.init(mode="disabled", reinit="create_new")

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Add to W&B's config."""
        with self.guarded():
            super().log_hyperparams(params)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log a row; does nothing where a journal is followed, which sends the rows itself."""
        if self._journal is None:
            super().log_metrics(metrics, step)

    def end(self, status: str) -> None:
        """End W&B's run: `finished`, `failed`, or `interrupted`, which W&B calls preempted."""
        if self._experiment is None or not _is_first():
            return
        with self.guarded():
            # In a sweep, W&B would give a preempted trial to the next agent that asks; SLURM queues it again itself.
            if status == "interrupted" and "WANDB_SWEEP_ID" not in os.environ:
                self._experiment.mark_preempting()
            self._experiment.finish(exit_code=0 if status == "finished" else 1)
        self._experiment = None

    def _take(self, row: Row) -> None:
        if self._last is None:
            self._last = self._reached()
        if row.row <= self._last:
            return
        with self.guarded():
            self.experiment.log({**row.metrics, **self._media(row), STEP: row.step}, step=row.row)
        self._last = row.row

    def _reached(self) -> int:
        """The last row that W&B has."""
        run = self.experiment
        if run.offline:
            folder, own = Path(str(self._save_dir)), Path(run.dir).parent
            return last_step([path for path in find_files(folder, run.id) if path.parent != own])
        return int(run.starting_step) - 1

    def _media(self, row: Row) -> dict[str, Any]:
        assert self._journal is not None
        folder = self._journal.path.parent
        return {name: _medium(folder / path) for name, path in row.media.items() if (folder / path).is_file()}


def _unreachable() -> str:
    """The reason why W&B's server cannot be reached; empty where it can. W&B itself would wait for it forever."""
    settings = wandb.setup().settings
    if settings.mode in ("offline", "dryrun", "disabled"):
        return ""
    try:
        requests.head(settings.base_url, timeout=REACH_TIMEOUT)
    except requests.RequestException as error:
        return f"{settings.base_url} cannot be reached ({type(error).__name__})"
    return ""


def _is_first() -> bool:
    return getattr(rank_zero_only, "rank", 0) == 0


def _medium(path: Path) -> Any:
    kinds: dict[str, Any] = {".mp4": wandb.Video, ".wav": wandb.Audio}
    return kinds.get(path.suffix, wandb.Image)(str(path))
