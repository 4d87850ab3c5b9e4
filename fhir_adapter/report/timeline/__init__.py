"""One person's whole course on one time axis, and every verdict beside it: a page that needs nothing else."""
