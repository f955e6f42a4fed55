"""Recognisers behind one contract."""
