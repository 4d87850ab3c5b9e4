"""Night after night with nobody watching: when to run, and how everybody gets to know how it went."""
