"""Training of the embedded model on the documents of `absolute_zero.pretraining.traces`: tokenizer, stream, optimiser.

Importing this package imports nothing heavy: torch and transformers come with `pretrain`, tokenizers with `tokenizer`.
"""
