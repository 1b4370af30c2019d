"""Plots, contact sheets and web pages. They only show data; nothing here computes a dream."""
