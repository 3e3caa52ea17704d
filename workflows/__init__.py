"""The physics: jobflow Makers for relaxation, phonons and lattice thermal conductivity.

Nothing here knows of campaigns, databases or optimisers; every Maker is useful alone.
"""
