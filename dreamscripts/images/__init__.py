"""Pictures: files, colours, sizes, and their preprocessing for networks."""
