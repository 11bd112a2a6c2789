"""Metrics, correlations, paired tests and the bootstrap."""
