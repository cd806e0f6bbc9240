"""Inference without Lightning: trained networks generate portraits and videos."""
