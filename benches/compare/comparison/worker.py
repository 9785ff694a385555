"""A worker process that is asked one line at a time."""

import json
import os
import subprocess
import threading

TIMEOUT = 120  # seconds for one answer


class Worker:
    """A running worker; one that dies is started anew for the next question."""

    def __init__(self, runner, greets=True):
        self.runner, self.greets = runner, greets
        self.versions = runner.name
        self.process = None

    def _start(self):
        self.process = subprocess.Popen(
            [str(part) for part in self.runner.command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, **self.runner.env},
        )
        if self.greets:
            self.versions = (self._line() or {}).get("versions", self.versions)

    def _line(self):
        timer = threading.Timer(TIMEOUT, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            timer.cancel()
        return json.loads(line) if line else None

    def ask(self, request):
        """The answer, or `{"error": …}`: a file that kills its reader is an answer too."""
        try:
            if self.process is None:
                self._start()
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = self._line()
        except OSError:
            answer = None
        if answer is None:
            self.close()
            return {"error": "the worker died or gave no answer in time"}
        return answer

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
