#!/usr/bin/env python
"""What a call costs: `slukh cost analyze` as a plain script.

python scripts/cost_analysis.py --calls 1000
python scripts/cost_analysis.py --scenario tyre-shop --json
"""

import sys

from slukh.cli import main

sys.argv[1:1] = ["cost", "analyze"]
main()
