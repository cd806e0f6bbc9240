"""Notes on a file of sound or pictures: what was found in it and done about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from s2tf.media.clock import Clock
from s2tf.media.decoding import Damage


@dataclass(frozen=True)
class Note:
    """One thing that a user may want to know about a file that was read."""

    kind: str
    """One or two words, such as `damaged` or `deinterlaced`: what summaries count."""
    text: str
    """The same as a sentence without its file."""


def damage_notes(what: Literal["pictures", "sound"], damage: Damage, origin: float) -> Iterator[Note]:
    """Damage of one track, as `damaged` and `broken off`, with times in seconds after `origin`."""
    damaged = damage.packets
    if damaged:
        place = f"the first{_place(damage.at, origin)}: {damage.cause}"
        yield Note("damaged", f"{damaged} damaged packet{'s' * (damaged > 1)} of the {what} passed over ({place})")
    if damage.doubtful:
        place = f"the first{_place(damage.doubtful_at, origin)}"
        yield Note("damaged", f"the {what}: {damage.doubtful} decoded in part ({place})")
    if damage.broken_off:
        place = "" if damage.end is None else f", only to {damage.end - origin:.2f} s"
        yield Note("broken off", f"the {what} cannot be read to the end{place}")


def clock_notes(clock: Clock, origin: float) -> Iterator[Note]:
    """Restarts of a file's clock, as `joined`, and an early end, as `broken off`, in seconds after `origin`."""
    if not clock.steady:
        times = ", ".join(f"{time - origin:.2f} s" for time in clock.restarts[:3])
        more = f" and {len(clock.restarts) - 3} more times" if len(clock.restarts) > 3 else ""
        yield Note("joined", f"the file's clock restarts at {times}{more}; the parts follow one another")
    if clock.missing:
        yield Note("broken off", f"the file ends {clock.missing:.1f} s before the length that it states")


def _place(at: float | None, origin: float) -> str:
    return "" if at is None else f" at {max(0.0, at - origin):.2f} s"
