"""Site profiles and code tables: data only, every row with its source."""
