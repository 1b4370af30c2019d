"""The files of films: read, write and join them."""
