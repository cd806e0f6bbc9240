"""The only place where pictures, videos and sounds are given to the loggers."""

from collections.abc import Sequence
from pathlib import Path

import lightning as L
from lightning.pytorch.loggers import TensorBoardLogger

from s2tf.callbacks.sample_files import SampleFile
from s2tf.loggers.journal import JournalLogger
from s2tf.media.pictures import read_picture

PREFIX = "samples"


def log_media(trainer: L.Trainer, files: Sequence[SampleFile]) -> None:
    """Give files in the run folder to every logger that can show them, as `samples/<name>`.

    The journal, and W&B through it, gets all files, TensorBoard gets the pictures, other loggers get nothing. The step
    equals that of the numbers that Lightning logs for the same batch. Call on rank 0.
    """
    step = trainer.fit_loop.epoch_loop._batches_that_stepped
    for logger in trainer.loggers:
        if isinstance(logger, JournalLogger):
            folder = Path(trainer.default_root_dir)
            logger.log_media({f"{PREFIX}/{one.name}": str(one.path.relative_to(folder)) for one in files}, step)
        elif isinstance(logger, TensorBoardLogger):
            for one in files:
                if one.kind == "image":
                    picture = read_picture(one.path, any_size=True)
                    logger.experiment.add_image(f"{PREFIX}/{one.name}", picture, step, dataformats="HWC")
