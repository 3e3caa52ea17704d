"""Where a campaign is kept: MongoDB, real or embedded, behind one connection."""
