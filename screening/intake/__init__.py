"""From records of sources to the pool of a campaign: parse, filter, merge, refuse."""
