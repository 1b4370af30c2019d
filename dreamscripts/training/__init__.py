"""Distillation: teach a small network to dream as a large one does."""
