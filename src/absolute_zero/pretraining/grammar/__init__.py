"""The grammar: small Python programs drawn at random, run and traced as trees, and written as text.

Promises: a program is a function of its dice alone, and means in Python what its tree does here. Standard library.
"""
