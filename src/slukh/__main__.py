"""`python -m slukh`."""

from slukh.cli import main

main()
