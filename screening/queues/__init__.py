"""Clusters: workers of a campaign inside the jobs of a batch queue (Slurm, PBS, SGE)."""
