"""Files that ship with the package: a trained pipeline with its model card, the judges, and a sample of speech."""
