"""Runs MiniStack with two changes.

Each execution environment of a handler has a /tmp of its own, as on Lambda. MiniStack has one for all. And a
change of a function takes effect after 50 ms in place of 500: tests wait for many, and assert nothing about how long.
"""
import os
import subprocess
import tempfile

from ministack import app
from ministack.services import lambda_svc

lambda_svc._LAMBDA_STATE_TRANSITION_DELAY = 0.05

begin = subprocess.Popen.__init__


def begin_apart(self, args, *more, **named):
    program = args if isinstance(args, (str, os.PathLike)) else args[0]
    if os.path.basename(program) == "bootstrap" and named.get("env"):
        named["env"] = {**named["env"], "TMPDIR": tempfile.mkdtemp(prefix="environment-")}
    begin(self, args, *more, **named)


subprocess.Popen.__init__ = begin_apart
app.main()
