"""Build or load networks, cut them at layers, and describe them."""
