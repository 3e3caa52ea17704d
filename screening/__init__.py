"""The screening campaign: sources, candidates, surrogate, sampler, store, workers and CLI."""
