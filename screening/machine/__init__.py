"""This machine: settings, secrets, processes, text files, files written whole or not at all."""
