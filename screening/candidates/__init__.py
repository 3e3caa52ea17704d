"""What can be computed: kinds of candidates, how they are named, described and compared."""
