"""Pictures: files, colours, sizes, and how networks take them."""
