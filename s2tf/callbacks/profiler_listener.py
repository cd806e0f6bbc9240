"""Durations of Lightning's own actions, from its calls of the profiler."""

import time
from collections.abc import Callable, Mapping
from typing import Any


class ProfilerListener:
    """Measures the actions that Lightning announces to its profiler, with any profiler."""

    def __init__(self, profiler: Any, actions: Mapping[str, Callable[[float], None]]) -> None:
        """Listen until `close`.

        Args:
            profiler: the Trainer's profiler.
            actions: functions to call with an action's seconds, by the action's name.
        """
        self._profiler, self._actions = profiler, actions
        self._began: dict[str, float] = {}
        self._start, self._stop = profiler.start, profiler.stop
        profiler.start, profiler.stop = self.start, self.stop

    def start(self, action_name: str) -> None:
        """Note the beginning of an action."""
        self._began[action_name] = time.perf_counter()
        self._start(action_name)

    def stop(self, action_name: str) -> None:
        """Report the end of an action."""
        self._stop(action_name)
        began = self._began.pop(action_name, None)
        if began is not None and action_name in self._actions:
            self._actions[action_name](time.perf_counter() - began)

    def close(self) -> None:
        """Restore the profiler: remove the methods that were replaced."""
        del self._profiler.start, self._profiler.stop
