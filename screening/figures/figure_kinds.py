"""Kinds of figures, by name; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

CandidateKind = Literal["bands", "dos", "kappa", "accumulation", "meshes", "volume-change"]
CampaignKind = Literal["progress", "parity", "map", "trade-off"]
Kind = CandidateKind | CampaignKind
