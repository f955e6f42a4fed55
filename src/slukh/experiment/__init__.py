"""Comparing recognisers honestly."""
