"""Measurements that train no arm; each writes one artifact.

* ``tasks``: floors, visibility, gradients in one update. ``gradients_along``: along short runs.
  ``eye_along``: what an encoder can see along a run.
* ``perception``, with ``perception_cells``, ``perception_frames``: what an encoder can see.
  ``encoder_probe``, ``goal_sight``, ``told_sight``, ``reach_sight``, ``eyes_at_work``: what
  trained ones saw.
* ``play``: trained policies on pictures that were changed: ``moved_pictures``,
  ``shrunk_pictures``, ``sphere_pictures``, ``frozen_pictures``; on episodes that none was scored
  on: ``fresh_episodes``. ``block_paths``: which way blocks went. ``shift_keypoints``: what a shift
  does to keypoints.
* ``rollouts``, ``occlusion``, ``gallery``: episodes, and where a policy looks.
* ``scratch_demo``: the from-scratch SAC, once.
"""
