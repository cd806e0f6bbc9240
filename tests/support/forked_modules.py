"""Everything that the steps of a chain import, for the process that they are forked from."""

import lightning  # noqa: F401
import torch
import torchvision  # noqa: F401
import transformers  # noqa: F401

import s2tf.evaluation.stages.evaluate_run
import s2tf.evaluation.videos.open_measures
import s2tf.reporting.figures
import s2tf.reporting.page
import s2tf.runs.assemble
import s2tf.runs.fit  # noqa: F401

torch.set_num_threads(1)
