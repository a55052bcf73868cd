"""Gives each execution environment of a handler a /tmp of its own, as Lambda does. MiniStack has one for all.

Python imports this module at its start when its folder is in PYTHONPATH.
"""
import os
import subprocess
import tempfile

begin = subprocess.Popen.__init__


def begin_apart(self, args, *more, **named):
    program = args if isinstance(args, (str, os.PathLike)) else args[0]
    if os.path.basename(program) == "bootstrap" and named.get("env"):
        named["env"] = {**named["env"], "TMPDIR": tempfile.mkdtemp(prefix="environment-")}
    begin(self, args, *more, **named)


subprocess.Popen.__init__ = begin_apart
