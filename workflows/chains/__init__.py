"""Chains of polymers: their regular conformers, how they stretch and how far they stay straight.

Pure functions and small classes; the jobs are in `workflows.chain`.  Only what computes polymers
imports this package: it needs RDKit.
"""
