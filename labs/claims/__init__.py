"""What came out: arms beside each other, and what was claimed beside what was measured.

``evidence``: the runs of an arm, matched with its twins. ``compare``: the table of arms, ρ and gap
closure. ``scoreboard``: every claim and its verdict, from ``task``, ``sight`` and ``training``.
"""
