"""The figures that pages share or a command draws, from an artifact or from the labs themselves.

* ``style``, ``legend``: the one look that all figures share; an arm's words and color.
* ``curves``, ``phases``: learning curves, and where they are flat, rise, settle.
* ``budgets``: the same curves against steps and against updates.
* ``results``, ``verdicts``: an arm's result, and a claim's, as a page shows it.
* ``routes``, ``rises``: arms as ways to one end; when each run rose, and where it ended.
* ``eyes``: what eyes read while a block is pushed, and along a run that teaches one.
* ``frame``, ``encoders``: what the policy sees; what an encoder makes of a small object.
* ``ledger``, ``speed``, ``sb3_tests``: the source's reports, the fast path's savings, SB3's tests.
"""
