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
    at = "" if damage.at is None else f", at {max(0.0, damage.at - origin):.2f} s"
    damaged = damage.packets - damage.broken_off
    if damaged:
        place = f" (the first{at}: {damage.cause})"
        yield Note("damaged", f"{damaged} damaged packet{'s' * (damaged > 1)} of the {what} passed over{place}")
    if damage.broken_off:
        yield Note("broken off", f"the {what} cannot be read to the end")


def joined_note(clock: Clock, origin: float) -> Iterator[Note]:
    """Restarts of a file's clock, with times in seconds after `origin`."""
    if not clock.steady:
        times = ", ".join(f"{time - origin:.2f} s" for time in clock.restarts[:3])
        more = f" and {len(clock.restarts) - 3} more times" if len(clock.restarts) > 3 else ""
        yield Note("joined", f"the file's clock restarts at {times}{more}; the parts follow one another")
