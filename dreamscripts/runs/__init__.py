"""Runs and galleries on disk."""
