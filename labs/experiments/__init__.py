"""Every training run of the book: arms as data, training, evaluation, comparison.

* ``config``: :class:`RunConfig`, every knob of a run, and what contradicts what.
* ``presets``: the named arms.
* ``environments``, ``models``: from a configuration to environments and an SB3 model.
* ``policies``: a trained policy as safetensors + JSON, and back.
* ``evaluate``: fixed-seed episodes, negative controls, floors. ``video``: a few episodes as MP4.
* ``train``: one run from start, or from its last checkpoint, to an artifact.
* ``checkpoint``, ``guards``: what makes a run survive ``kill -9`` and refuse what cannot work.
* ``launch``: runs through papermill. ``sweep``: many of them on Ray.
"""
