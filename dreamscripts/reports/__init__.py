"""Plots, contact sheets and web pages, which only show data."""
