"""The commands that have verbs of their own, one file each; `cli.py` joins them."""
