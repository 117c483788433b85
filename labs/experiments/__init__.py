"""Every training run of the book: arms as data, training, evaluation, comparison, measurements.

An arm:

* ``config``: :class:`RunConfig`, every knob of a run. ``validation``: what contradicts what.
* ``presets``: the named arms. ``laptop_arms``, with ``reach_arms``, ``honest_arms``, ``eye_arms``
  (behind a made eye): those for two cores. ``gpu_arms``: those for one GPU.

A run:

* ``environments``, ``models``: from a configuration to environments and an SB3 model.
* ``train``: from its start, or from its last checkpoint, to an artifact. ``distill``, ``lessons``:
  a student of a state policy. ``moments``, ``locating``, ``regression``: the locator before the
  run.
* ``guards``, ``backend``: refuse what cannot work. ``processor``: how a run uses it.
* ``curve``, ``stopping``: what a run tells, and who may stop it. ``checkpoint``,
  ``replay_pieces``: what makes it survive ``kill -9``.
* ``finish``: its end. ``evaluate``: fixed-seed episodes, controls, floors. ``policies``: a policy
  as safetensors + JSON, and back. ``video``: a few episodes as MP4.

Many runs:

* ``launch``: through papermill. ``sweep``: on Ray. ``search``: one change at a time.
* ``campaign``, with ``campaign_runs``, ``campaign_report``, ``cells``: one GPU, a budget of time.
* ``plan``: what a run will cost. ``done``, ``results``: which results are there. ``fetch``: what
  git has no room for.

What came out:

* ``compare``: arms beside each other. ``claims``, with ``claims_task``, ``claims_sight``,
  ``claims_training``, ``evidence``: the scoreboard.
* ``rollouts``, ``keypoints``, ``occlusion``, ``gallery``: episodes, and where a policy looks.

Measurements that train no arm:

* ``measure``: floors, visibility, gradients in one update. ``gradients_along``: along short runs.
* ``perception``, with ``perception_cells``, ``perception_frames``, ``position_errors``: what an
  encoder can see. ``encoder_probe``, ``goal_sight``, ``told_sight``, ``eyes_at_work``: what
  trained ones saw.
* ``shift_keypoints``, ``moved_pictures``, ``shrunk_pictures``, ``sphere_pictures``,
  ``frozen_pictures``, with ``play``: pictures that were changed.
* ``scratch_demo``: the from-scratch SAC, once. ``doctor``: is this machine ready?
"""
