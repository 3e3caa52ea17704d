"""Figures for print: one a module, each a function from a view to matplotlib's figure.

They need no display and change nothing outside: matplotlib's object-oriented interface, under the
style of ``configs/figures.mplstyle``.
"""
