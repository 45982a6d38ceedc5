"""Tensors live here: policies that sample text from a model and learn from it. Importing the package imports nothing."""
