"""Former name of `datamodules.shards.staging`, which older queued batch scripts still use."""

import runpy

if __name__ == "__main__":
    runpy.run_module("datamodules.shards.staging", run_name="__main__")
