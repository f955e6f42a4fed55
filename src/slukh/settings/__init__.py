"""Settings: one environment variable each."""
