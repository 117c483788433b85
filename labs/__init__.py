"""Pixels, No Cheating: the package that the book's notebooks import.

Rooms, in the order in which data flows (a room imports only rooms above it):

==========================================  =======================================================
labs.gl, labs.envs                          Fetch tasks, cameras, lean scene, GL backend
labs.pixel_replay, labs.pixel_wrapper       frames become observations, and a memory to learn from
labs.replay, labs.collect                   frames stored once, HER relabelling, overlapped workers
labs.image_augmentation                     random shift and the DrQ buffers
labs.shapes, labs.image_extractor           tables of shapes; images encoded, vectors passed
labs.visual_encoder, labs.from_scratch_sac  NatureCNN and a visual SAC from scratch
labs.manipulation_encoder                   ManipulationCNN, SpatialSoftmax, extractor
labs.drqv2_sac_policy, labs.drqv2_sac       gradient routing
labs.routing_probe, labs.bridge             the routings measured; hand-built against SB3
labs.fast_sac, fast_networks, fast_update   SAC with a compiled update, SB3's API
labs.standardized_images                    images encoded, vectors standardized
labs.experiments                            arms as dataclasses, train, evaluate, sweep
labs.artifacts, labs.statistics             results with provenance; intervals
labs.figures                                every figure of the book, from artifacts
labs.widgets                                the interactive figures
labs.exercises                              how an exercise answers
labs.cli, labs.flags                        the program ``pixels``
==========================================  =======================================================

``labs.checks`` holds the checks behind every ``--verify`` and behind the tests.
"""

__version__ = "0.1.0"
