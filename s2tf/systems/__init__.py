"""Named systems as data: the stages to train, and the pipelines to assemble."""
