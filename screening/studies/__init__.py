"""Studies that need no campaign: the replay of the optimiser, the ranking of a library."""
