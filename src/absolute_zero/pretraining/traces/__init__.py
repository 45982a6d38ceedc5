"""Documents about programs of the grammar: a prompt of self-play, a thought that steps through values, an answer.

Promises: a document is a function of its seed and number. Does not train: `absolute_zero.pretraining.training` does.
"""
