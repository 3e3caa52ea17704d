"""Compositions that nobody has reported: which exist, by what is known of others."""
