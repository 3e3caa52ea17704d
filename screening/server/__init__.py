"""The dashboard: a read-only server of the pages, and of the forms in `screening.views`."""
