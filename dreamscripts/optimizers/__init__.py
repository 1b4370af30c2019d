"""Optimizers: each changes a picture so that the loss falls. A module here, with a decorator, adds one."""
