"""What pages, pictures and programs are told of a campaign, worked out from its documents.

`screening.views.forms` are the forms; a module beside it fills in each of them.
"""
