"""What ships with the package, as data: a trained pipeline with its model card, the judges, and a sample of speech."""
