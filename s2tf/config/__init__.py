"""Experiment YAMLs: found by name, composed, read by the types of their fields, and named by a hash."""

from s2tf.config.causes import innermost_cause
from s2tf.config.composition import LABEL, NOTHING, compose, merge
from s2tf.config.experiments import EXPERIMENTS, find_experiment, named_experiment, packaged_folder
from s2tf.config.identity import NOT_IDENTITY, identity_hash, with_new_names, with_old_names
from s2tf.config.scalars import clear_values, read_yaml, texts, values, write_yaml

__all__ = [
    "EXPERIMENTS",
    "LABEL",
    "NOTHING",
    "NOT_IDENTITY",
    "clear_values",
    "compose",
    "find_experiment",
    "identity_hash",
    "innermost_cause",
    "merge",
    "named_experiment",
    "packaged_folder",
    "read_yaml",
    "texts",
    "values",
    "with_new_names",
    "with_old_names",
    "write_yaml",
]
