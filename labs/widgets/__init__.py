"""The interactive figures: live in a notebook, and alive on a page without a kernel or a network.

* ``base``: the pattern of them all.
* ``frame_stack``, ``camera_explorer``: what an observation holds, and what a camera sees.
* ``encoder_walk``, ``keypoints``, ``crop_shift``: what encoders and a shift make of it.
* ``memory_calculator``, ``her_relabelling``: what a replay memory costs, and what it relabels.
* ``gradient_routing``, ``phase_reader``, ``rollout_gallery``: an update, a run, its policies.
"""
