"""The routes of the studio: requests in, JSON and pictures out."""
