"""What every test shares: Hypothesis draws the same examples everywhere and times nothing.

Imports pytest and Hypothesis only, so that `make test-full` can run on a Python with nothing else.
"""

from hypothesis import settings

settings.register_profile("azr", derandomize=True, deadline=None, database=None)
settings.load_profile("azr")
