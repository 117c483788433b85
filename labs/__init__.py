"""Pixels, No Cheating: the package that the book's notebooks import.

Rooms, in the order in which data flows (a room imports only rooms above it, and from its own row;
``tests/test_rooms.py`` holds it to that, and names the four exceptions):

==========================================  =======================================================
labs.errors, labs.flags                     what a reader can mend, in one line
labs.json_text                              numbers and arrays as JSON
labs.limits                                 cores and memory that a process may use
labs.bundle                                 short files in one
labs.provenance, labs.artifacts             results with provenance
labs.tensor_files                           tensors in one file, whole or not at all
labs.statistics                             intervals
labs.tasks                                  the two tasks in numbers
labs.gl, labs.envs, labs.projection         Fetch tasks, cameras and their geometry, lean scene, GL
labs.pixel_replay, labs.pixel_wrapper       frames become observations, and a memory to learn from
labs.goal_tasks                             reward and episodes of a goal task, its bytes
labs.episode_store, labs.replay             frames stored once, HER relabeling
labs.collect_worker, labs.collect           overlapped workers, frames in shared memory
labs.image_augmentation                     random shift and the DrQ buffers
labs.shapes, labs.image_extractor           tables of shapes; images encoded, vectors passed
labs.visual_encoder, labs.from_scratch_sac  NatureCNN and a visual SAC from scratch
labs.manipulation_encoder                   ManipulationCNN, SpatialSoftmax, extractor
labs.keypoint_encoder, labs.locator         a small encoder for few cores; sight by regression
labs.reward_locator, labs.trilateration     sight by rewards alone: sparse ones, and distances
labs.simulated_eye                          eyes as exact as we say
labs.drqv2_sac_policy, labs.drqv2_sac       gradient routing
labs.routing_probe, labs.bridge             the routings measured; hand-built against SB3
labs.fast_networks                          standardized vectors, layer-normalized critics
labs.asymmetric                             a critic that is told more than the actor sees
labs.reward_head, labs.auxiliary            an encoder that is asked for rewards, or for places
labs.standardized_images                    images encoded, vectors standardized
labs.seeking                                random actions that go for the block
labs.mixed_precision                        bfloat16 where the hardware multiplies it
labs.fast_compile, labs.fast_update         one update without waste, compiled where it pays
labs.fast_graph                             the whole update as one CUDA graph
labs.fast_io, labs.fast_files               models as safetensors and JSON
labs.fast_sac                               SAC with all of this behind SB3's API
labs.bench                                  the fast path measured beside the stock route
labs.experiments                            arms as dataclasses, train, evaluate, sweep
labs.campaign                               many runs on one GPU within a budget of time
labs.measurements                           what a camera, an encoder, a trained policy can see
labs.claims                                 arms compared, claims judged
labs.figures                                figures that pages share or a command draws
labs.widgets                                the interactive figures
labs.exercises                              how an exercise answers
labs.commands                               what the commands of the program do
labs.cli                                    the program ``pixels``
==========================================  =======================================================

``labs.checks`` holds the checks behind every ``--verify`` and behind the tests. It stands outside
the order: it imports what it checks, and a module calls it only when it is run itself.
"""

__version__ = "0.1.0"
