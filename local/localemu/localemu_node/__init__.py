"""A plugin for LocalEmu 1.3.2 that runs this project's stacks faithfully without containers.

Each module corrects one concern of the emulator and says in its docstring which upstream
behaviour it replaces; ``startup`` applies them all before the first request.
"""
