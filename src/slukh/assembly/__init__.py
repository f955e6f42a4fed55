"""Settings into parts."""
