"""Tensors live here: policies that sample text from a model and learn from it.

Importing the package imports nothing; it only sets defaults of the environment that torch reads once, when it loads.
"""

import os

# Threads of libgomp that wait for work spin, unless told otherwise. Next to anything else that wants the processor,
# such as a sandbox, two of them are then slower than one: 2.1 thousand tokens/s where one thread trains 9.6.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# oneDNN compiles a kernel of about half a megabyte for every shape it meets, and torch keeps 1024 of them in each of
# two caches. Samples come in ever new lengths: that was a process of 10 GB after twelve minutes. A training step meets
# some dozens of shapes.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
os.environ.setdefault("LRU_CACHE_CAPACITY", "256")
