"""The named arms that came out of trials, each a change of another one, with a line of words.

``laptop``: those for two cores, with ``reach``, ``honest`` (nobody tells the policy where the block
is) and ``eyes`` (behind a made eye). ``gpu``: those for one GPU.
"""
