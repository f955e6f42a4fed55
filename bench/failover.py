"""What a caller loses when a recogniser fails: `python bench/failover.py [--trials N] [--json]`.

The same as `slukh bench failover`, which an installed Slukh can run as well; see slukh/testing/failover.py.
"""

import sys

from slukh.cli import app

if __name__ == "__main__":
    app(["bench", "failover", *sys.argv[1:]])
