"""Copies of a Keras model with some layers changed."""
