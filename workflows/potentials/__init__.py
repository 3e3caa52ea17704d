"""Potentials fitted to forces of another engine, and what says when not to believe them."""
