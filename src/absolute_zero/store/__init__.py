"""The run database: what happened in a run, one SQLite file, one transaction per step.

System of record. Whoever has this file can rebuild the buffer and resume exactly: accepted tasks with their
provenance, later outcomes, the state of the advantage estimators, every response and what it earned, rejections,
metrics, flags, and which checkpoint belongs to which step.

Promises: a step is there whole or not at all, whatever is killed when; what `commit` returned from survives a
power cut (as far as the disk keeps what it says); it can be read while the run writes; two equal runs have equal
rows in every table but `clocks`; floats and texts come back exactly, whatever a model wrote; a commit costs the same
beside a million tasks as beside none. A database of an older schema is migrated when it is opened for writing, whole
or not at all, and read from a migrated copy in memory otherwise; one of a newer schema is refused. What the user can
fix is a UserError of one line.

Does not keep token ids or log-probabilities, does not lock the run folder (a second writer is discovered when it
writes), and does not copy: while a run is on, copy with SQLite's own `.backup` or `VACUUM INTO`, never one file alone.

`rows` is how values are written down, `migrations` how older runs become new ones, `files` what the file system
allows, `errors` what to do about a failure of SQLite, `database` the rest.
"""

from absolute_zero.store.database import Store
from absolute_zero.store.migrations import migrate_config
from absolute_zero.store.rows import Checkpoint, Flag, Keep, Rejection, StepExtras, StoredRollout

__all__ = ["Checkpoint", "Flag", "Keep", "Rejection", "StepExtras", "Store", "StoredRollout", "migrate_config"]
