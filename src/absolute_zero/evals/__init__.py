"""Measuring a policy on tasks that nobody trains on, with intervals. Every answer comes through `selfplay.solve`."""
