"""Lattice dynamics as functions of structures and forces.

The only package that imports phonopy or phono3py: `cells` (supercells and q-meshes), `harmonic`
(second-order force constants, stability, bands), `third_order` (third-order force constants),
`transport` (thermal conductivity) and `recorded_forces` (force sets read back, ours or anybody's).
Force sets travel as phonopy's and phono3py's own parameter files (YAML text), so that what is
stored can be opened with either program.
"""
