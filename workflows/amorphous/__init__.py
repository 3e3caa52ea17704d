"""Molecular dynamics of amorphous polymers by RadonPy and LAMMPS."""
