"""Shipped targets, engines, queue templates and reference data: files only, no code."""
