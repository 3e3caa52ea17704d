"""The ranking of a campaign: order, filters, cache."""
