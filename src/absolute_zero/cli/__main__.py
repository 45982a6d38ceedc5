"""`python -m absolute_zero.cli` is `azr`."""

import sys

from absolute_zero.cli import main

sys.exit(main())
