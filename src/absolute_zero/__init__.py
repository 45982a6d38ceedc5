"""Absolute Zero: the open system for self-play reasoning with zero data.

One language model proposes code-reasoning tasks, solves them, and learns from both; a sandboxed Python
is the only teacher (Zhao et al., "Absolute Zero", arXiv 2505.03335). Importing this package imports
nothing heavy: torch and friends come with the parts that touch tensors.
"""

__version__ = "0.1.0"
