"""A single result, and the programming interface of notebooks."""
