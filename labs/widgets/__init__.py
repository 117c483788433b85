"""The interactive figures: live in a notebook, and alive on a page without a kernel or a network.

See :mod:`labs.widgets.base` for the pattern.
"""
