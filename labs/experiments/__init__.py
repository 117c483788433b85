"""Every training run of the book: arms as data, training, evaluation.

An arm:

* ``config``: :class:`labs.experiments.config.RunConfig`, every knob of a run. ``validation``: what
  contradicts what; ``unused``: what is changed for nothing.
* ``presets``: the named arms. ``arms``: those that came out of trials, by what they are for.

A run:

* ``environments``, ``models``: from a configuration to environments and an SB3 model.
* ``run``: from its start, or from what it saved, to an artifact. ``train``: by reward.
  ``pretrained``: with the encoder of an earlier one. ``distill``, ``lessons``: a student of a state
  policy.
* ``moments``, ``regression``, ``position_errors``, ``locating``: the locator before the run.
* ``guards``, ``backend``: refuse what cannot work. ``processor``: how a run uses it.
* ``curve``, ``stopping``: what a run tells, and who may stop it. ``checkpoint``,
  ``replay_pieces``: what makes it survive ``kill -9``.
* ``finish``: its end. ``evaluate``, ``side_by_side``: fixed-seed episodes, controls, floors.
  ``policies``: a policy as safetensors + JSON, and back. ``video``, with ``keypoints``: a few
  episodes as MP4.

Many runs:

* ``launch``: through papermill. ``sweep``: on Ray. ``search``: one change at a time.
* ``plan``: what a run will cost. ``done``, ``results``: which results are there. ``fetch``: what
  git has no room for.
* ``doctor``: is this machine ready?
"""
