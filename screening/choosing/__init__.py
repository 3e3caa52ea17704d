"""Choosing what to compute next: arrays in, proposals out. Nothing here knows a campaign."""
