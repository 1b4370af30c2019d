"""The studio: a web page in which a person dreams. Routes and events, no algorithm."""
