"""Measure a finished run, a folder of videos or portraits, a pipeline, or the arms of an ablation."""

SUBCOMMANDS = {name: name for name in ("run", "videos", "portraits", "pipeline", "speakers", "arms")}
REMOVED = {
    "--run": "s2tf evaluate run RUN",
    "--pipeline": "s2tf evaluate pipeline FOLDER --shards S --out O",
    "": "s2tf evaluate videos GENERATED REFERENCE` or `s2tf evaluate portraits GENERATED REFERENCE",
}
