"""Former name of `datamodules.shards.staging`, by which batch scripts that were queued before it moved run it."""

import runpy

if __name__ == "__main__":
    runpy.run_module("datamodules.shards.staging", run_name="__main__")
