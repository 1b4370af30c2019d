"""The backends that compute passes, facts about the machine, and the start-up of commands."""
