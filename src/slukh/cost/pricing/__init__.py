"""Prices, and what they make of usage."""
