"""A fresh process that loads one batch of a shard folder and prints time and memory as JSON; part of `s2tf bench`."""

import json
import resource
import sys
import time

from datamodules.speech_portrait import SpeechPortraitData


def main(folder: str) -> None:
    """Print the seconds from the end of the imports to the first batch, and the peak memory of the process."""
    start = time.perf_counter()
    data = SpeechPortraitData(folder, batch_size=4, num_workers=0, buffer=8)
    data.setup("fit")
    next(iter(data.train_dataloader()))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "megabytes": peak / 1024}))


if __name__ == "__main__":
    main(sys.argv[1])
