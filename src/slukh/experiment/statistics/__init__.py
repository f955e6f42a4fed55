"""What two recognisers' errors on the same traffic allow to be said, and how surely."""
