"""What can be optimised and what computes it: objectives, constraints, engines."""
