"""Neutral point defects: vacancies, and pairs of atoms that have exchanged their places."""
