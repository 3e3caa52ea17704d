"""Species on the sites of a lattice: enumeration, cluster vectors, approximants, Monte Carlo."""
