"""Asking a policy without training it: on held-out tasks, with intervals, or for a turn of the game.

    suites        tasks, from a domain or a file, and how they are answered
    statistics    from answers to metrics with intervals, and what is significant
    runs          a run's results before and after
    models        a model's results at several temperatures
    turns         proposals, validated and solved

Every answer comes through `selfplay.solve`, as in training. Floor 4.
"""
