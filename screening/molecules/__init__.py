"""Molecules and chains of one repeat unit, from their SMILES; nothing here knows a campaign."""
