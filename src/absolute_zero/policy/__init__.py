"""The models that play: tensors stay in this room. Import the module you need; this one imports nothing."""
