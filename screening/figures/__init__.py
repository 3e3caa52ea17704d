"""Figures for print: functions from a picture of `screening.views.forms` to matplotlib's figure.

They need no display and change nothing outside: matplotlib's object-oriented interface, under the
style of ``configs/figures.mplstyle``.
"""
