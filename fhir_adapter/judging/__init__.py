"""From the records of a person to everything that is told of them: what can be done of many people at once.

It reaches no network, no store and no statistics, so that a process that does nothing else is small.
"""
