"""What the commands of ``pixels`` do, each a function from flags to an exit code.

* :mod:`labs.commands.training`: train, plan, run, demo;
* :mod:`labs.commands.judging`: eval, compare, fetch, results, claims;
* :mod:`labs.commands.drawing`: plot, frame;
* :mod:`labs.commands.measuring`: measure, probe, bench, doctor;
* :mod:`labs.commands.many`: sweep, search, campaign.

Each imports what it needs when it runs, so that ``pixels --help`` is quick.
"""
