"""The kinds of jobs, one module each. A new kind needs only a new file here."""
