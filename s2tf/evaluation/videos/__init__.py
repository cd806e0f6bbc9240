"""Videos of any system measured against the reference videos."""
