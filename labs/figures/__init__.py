"""Every figure of the book, each drawn by a function from an artifact or from the labs themselves.

* :mod:`labs.figures.style`: the one look that all figures share.
* :mod:`labs.figures.encoders`: what each encoder makes of a small object; the demo's curve.
"""
