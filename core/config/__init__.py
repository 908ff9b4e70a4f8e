"""The experiment file: its schema, reading it, changing it, writing it. Imports no torch."""
