"""Carrying a campaign on: recover, store what is finished, propose, compute."""
