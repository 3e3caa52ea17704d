"""First-principles engines: programs that run as processes of their own.

`engine` speaks to the flows, `settings` is what a user may set, `execution` starts processes and
cleans up behind them, and one module a program writes its input and reads its output.
"""
