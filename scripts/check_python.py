"""Stop with one clear line when this Python is too old; runs on any Python 3."""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        "seekway: Python 3.11 or newer is needed, this is %s; try: make run PYTHON=python3.12" % sys.version.split()[0]
    )
