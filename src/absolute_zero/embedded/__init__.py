"""The embedded base model: a grammar of small programs, documents about them, and a model trained on nothing else.

Promises: the grammar is the only source; no human-written example is anywhere. Importing this package imports
nothing heavy: torch and transformers come with `pretrain` and `quiz`, tokenizers with `tokenizer`. Floor 5.
"""
