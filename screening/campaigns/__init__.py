"""The documents of a campaign, and what it has learned."""
