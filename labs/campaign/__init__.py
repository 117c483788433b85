"""Many runs on one GPU within a budget of time.

``cells``: what is trained, in the order of information. ``runs``: one process each.
``schedule``: which of them run now. ``report``: what has been found so far.
"""
