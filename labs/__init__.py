"""Pixels, No Cheating: the package that the book's notebooks import.

Rooms, in the order in which data flows (a room imports only rooms above it):

========================  ===========================================================
``labs.envs``             Fetch tasks, cameras, lean scene, GL backend
``labs.pixel_wrapper``    frames become observations
``labs.replay``           frames stored once, HER relabelling
``labs.image_augmentation``   random shift and the DrQ buffers
``labs.visual_encoder``   NatureCNN and the from-scratch networks
``labs.manipulation_encoder`` ManipulationCNN, SpatialSoftmax, extractor
``labs.drqv2_sac_policy`` gradient routing
``labs.fast_sac``         SAC with a compiled update, SB3's API
``labs.experiments``      arms as dataclasses, train, evaluate
``labs.artifacts``        write, check and load results with provenance
``labs.statistics``       intervals, aggregates, time to threshold
``labs.figures``          every figure of the book, drawn from artifacts
``labs.widgets``          the interactive figures
``labs.cli``              the program ``pixels``
========================  ===========================================================

``labs.checks`` holds the checks behind every ``--verify`` and behind the tests.
"""

__version__ = "0.1.0"
