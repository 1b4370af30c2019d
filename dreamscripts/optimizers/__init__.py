"""Optimizers, which change a picture so that the loss falls. A new module here can add an optimizer (registry.py)."""
