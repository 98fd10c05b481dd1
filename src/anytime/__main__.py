"""`python -m anytime` is the command `anytime`, for launchers that start modules."""

import sys

from anytime.cli import main

sys.exit(main())
