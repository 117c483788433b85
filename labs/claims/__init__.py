"""What came out: arms beside each other, and what was claimed beside what was measured.

``evidence``: verdicts, thresholds, measurements. ``arm``: the runs of an arm, matched with its
twins. ``words``: numbers in words. ``compare``: the table of arms, ρ and gap closure.
``scoreboard``: every claim and its verdict, from ``task``, ``sight`` and ``training``.
"""
