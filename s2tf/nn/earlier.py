"""Arguments that came later than configs without them, with the values that those configs mean."""

from collections.abc import Mapping
from typing import Any

EARLIER_VALUES: Mapping[str, Mapping[str, Any]] = {
    # The public VGGFace was shown BGR, which is not the order that `vgg_face_dag.pth` was trained with.
    "s2tf.models.face_encoder.FaceEncoder": {"channel_order": "bgr"},
}
"""Class path -> arguments whose default has changed, with the value that a stored network or an experiment without them
was trained with. Experiments of s2tf name these arguments, so that only configs of earlier versions lack them."""


def with_earlier_values(config: Any) -> Any:
    """Return a copy of a config, or of a part of it, in which the arguments of `EARLIER_VALUES` are all named.

    Example:
        >>> with_earlier_values({"class_path": "s2tf.models.face_encoder.FaceEncoder"})["init_args"]
        {'channel_order': 'bgr'}
    """
    if isinstance(config, list):
        return [with_earlier_values(item) for item in config]
    if not isinstance(config, dict):
        return config
    filled = {key: with_earlier_values(item) for key, item in config.items()}
    class_path = filled.get("class_path")
    values = EARLIER_VALUES.get(class_path) if isinstance(class_path, str) else None
    if values is not None and isinstance(filled.get("init_args", {}), dict):
        filled["init_args"] = {**values, **filled.get("init_args", {})}
    return filled
