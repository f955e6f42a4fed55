"""Real, small fakes that ship with the product."""
