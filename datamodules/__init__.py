"""WebDataset shards and the LightningDataModules that read them."""
