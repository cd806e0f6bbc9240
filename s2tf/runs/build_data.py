"""Datamodule and settings of a composed experiment, without its stage and trainer."""

from collections.abc import Mapping
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from datamodules.base import ShardDataModule
from s2tf.errors import UserError
from s2tf.runs.build import first_cause


def build_parts(config: Mapping[str, Any], **settings: type) -> Any:
    """Build the datamodule of a composed experiment, and settings of other sections.

    Args:
        config: A composed experiment.
        settings: Class of the settings by the name of its section.

    Returns:
        An object with `data` and each section as attributes.

    Raises:
        UserError: A section is missing, a key unknown or a value wrong; the message names the key.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(ShardDataModule, "data", required=True)
    for section, kind in settings.items():
        if section not in config:
            raise UserError(f"the experiment has no section {section!r}: see experiments/{section}.yaml")
        parser.add_class_arguments(kind, section)
    parts = {name: config[name] for name in ("data", *settings) if name in config}
    try:
        return parser.instantiate(parser.parse_object(parts))
    except (ArgumentError, ValueError, TypeError) as error:
        raise UserError(first_cause(str(error))) from error
