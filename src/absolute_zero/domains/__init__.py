"""Domains: what is particular to one sort of task. The loop knows none of them; they are found by name (`plugins`)."""
