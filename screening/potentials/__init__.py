"""Potentials that this database holds: as engines, and the cells that they refused."""
