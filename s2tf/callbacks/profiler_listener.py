"""How long Lightning's own actions take, by what it tells its profiler."""

import time
from collections.abc import Callable, Mapping
from typing import Any


class ProfilerListener:
    """Tells how long actions took that Lightning announces to a profiler, whatever profiler that is."""

    def __init__(self, profiler: Any, actions: Mapping[str, Callable[[float], None]]) -> None:
        """Listen until `close`.

        Args:
            profiler: the Trainer's.
            actions: what to call with the seconds that an action took, by the action's name.
        """
        self._profiler, self._actions = profiler, actions
        self._began: dict[str, float] = {}
        self._start, self._stop = profiler.start, profiler.stop
        profiler.start, profiler.stop = self.start, self.stop

    def start(self, action_name: str) -> None:
        """An action begins."""
        self._began[action_name] = time.perf_counter()
        self._start(action_name)

    def stop(self, action_name: str) -> None:
        """An action ends."""
        self._stop(action_name)
        began = self._began.pop(action_name, None)
        if began is not None and action_name in self._actions:
            self._actions[action_name](time.perf_counter() - began)

    def close(self) -> None:
        """Leave the profiler as it was: its own methods are the class's."""
        del self._profiler.start, self._profiler.stop
