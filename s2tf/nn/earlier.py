"""Arguments that came later than configs without them, with the values that those configs mean."""

from collections.abc import Callable, Mapping
from typing import Any

EARLIER_VALUES: Mapping[str, Mapping[str, Any]] = {
    # The public VGGFace was shown BGR, which is not the order that `vgg_face_dag.pth` was trained with.
    "s2tf.models.face_encoder.FaceEncoder": {"channel_order": "bgr"},
}
"""Class path -> arguments whose default has changed, with the value that a stored network or an experiment without them
was trained with. Experiments of s2tf name these arguments, so that only configs of earlier versions lack them."""


def with_earlier_values(config: Any, note: Callable[[str], None] | None = None) -> Any:
    """Return a copy of a config, or of a part of it, in which the arguments of `EARLIER_VALUES` are all named.

    Args:
        config: The config.
        note: Function that is called with a line for each network that starts from a file of weights, for which the
            earlier value may be wrong.

    Example:
        >>> with_earlier_values({"class_path": "s2tf.models.face_encoder.FaceEncoder"})["init_args"]
        {'channel_order': 'bgr'}
    """
    if isinstance(config, list):
        return [with_earlier_values(item, note) for item in config]
    if not isinstance(config, dict):
        return config
    filled = {key: with_earlier_values(item, note) for key, item in config.items()}
    class_path = filled.get("class_path")
    values = EARLIER_VALUES.get(class_path) if isinstance(class_path, str) else None
    if values is not None and isinstance(filled.get("init_args", {}), dict):
        given = filled.get("init_args", {})
        filled["init_args"] = {**values, **given}
        missing = [f"{name} {value}" for name, value in values.items() if name not in given]
        if note is not None and missing and given.get("weights", "random") not in ("random", "saved"):
            note(
                f"{class_path}: {', '.join(missing)}, as in runs of earlier versions, since the experiment names none; "
                f"the public file may want another: name it for a new run ({given['weights']})"
            )
    return filled
