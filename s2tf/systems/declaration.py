"""Declaration of a system. It names classes by their paths, so that it is read without loading torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Task = Literal["portrait", "animate", "generate"]
"""Use of a pipeline: a portrait from speech, a video from speech and a portrait, or a video from speech alone."""


@dataclass(frozen=True)
class RunInput:
    """A finished run that a pipeline is assembled from."""

    name: str
    """Name of the run: `motion_diffusion` is given as `--motion-diffusion RUN`."""
    stage: str
    """Class path of the stage that was trained."""
    components: Mapping[str, str]
    """Component of the pipeline -> its folder in RUN/networks."""
    help: str

    @property
    def option(self) -> str:
        """The option of `s2tf assemble` that names the run."""
        return f"--{self.name.replace('_', '-')}"


@dataclass(frozen=True)
class PipelineClass:
    """A pipeline of a system: the whole, or a part that can be used alone."""

    class_path: str
    runs: tuple[str, ...]
    """Names of the runs that give its components."""
    tasks: tuple[Task, ...]

    @property
    def name(self) -> str:
        """The class's name, which stands in the index of a pipeline folder."""
        return self.class_path.rpartition(".")[2]


@dataclass(frozen=True)
class StoredSetting:
    """A setting of the pipeline that a run determines."""

    setting: str
    """Its place, such as `portrait_settings.seconds`."""
    run: str
    source: Literal["config", "manifest"]
    """The run's resolved config, or the manifest of the shards that it was trained on."""
    key: str
    """The dotted key there."""


@dataclass(frozen=True)
class ChosenSetting:
    """An option of `s2tf assemble` that sets settings of the pipeline."""

    option: str
    type: type
    settings: tuple[str, ...]
    """Their places, such as `portrait_settings.steps`."""
    help: str


@dataclass(frozen=True)
class ChosenNetwork:
    """An option of `s2tf assemble` that adds a network which no run of the system has trained."""

    component: str
    """Component of the pipeline, one that may be absent: `code_predictor` is given as `--code-predictor FOLDER`."""
    reader: str
    """Path of the function that takes the folder and the pipeline's other components, and returns the network and a
    line that `s2tf assemble` prints."""
    help: str

    @property
    def option(self) -> str:
        """The option of `s2tf assemble` that names the folder."""
        return f"--{self.component.replace('_', '-')}"


@dataclass(frozen=True)
class MotionCodes:
    """Two runs that belong together: one was trained on shards with the motion codes of the other's autoencoder."""

    run: str
    autoencoder: str


@dataclass(frozen=True)
class DemoStep:
    """A step of the demo. `{name}` in its words is the result of the step of that name, `{shards}` the demo's shards.

    The result of a `fit` is its folder of networks, that of another step the folder that it writes.
    """

    name: str
    """Name of the step; `fit` and `prior` read experiments/demo/<name>.yaml."""
    action: Literal["fit", "prior", "codes"]
    words: tuple[str, ...]
    """Overrides of the experiment; for `codes`, the shards and the folder of the autoencoder."""


@dataclass(frozen=True)
class DemoTraining:
    """The training of a system at demo width."""

    steps: tuple[DemoStep, ...]
    """In the order of training."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the assembled pipeline that differ from their defaults, such as `talking_settings.steps`."""


@dataclass(frozen=True)
class System:
    """A named system: its stages, and how finished runs of them become a pipeline."""

    name: str
    title: str
    stages: tuple[str, ...]
    """Class paths of the stages, in the order of training."""
    runs: tuple[RunInput, ...]
    pipelines: tuple[PipelineClass, ...]
    """Parts before the whole."""
    demo: DemoTraining
    stored: tuple[StoredSetting, ...] = ()
    chosen: tuple[ChosenSetting, ...] = ()
    networks: tuple[ChosenNetwork, ...] = ()
    codes: tuple[MotionCodes, ...] = ()

    def run(self, name: str) -> RunInput:
        """The run of that name."""
        return next(one for one in self.runs if one.name == name)
