"""The loop that every Python worker runs: one JSON request a line in, one JSON answer a line out."""

import json
import sys
import time
from pathlib import Path


def peak_kib():
    """Peak resident memory of this process. VmHWM, because ru_maxrss survives exec and would be the
    starting process's."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return None


def serve(name, versions, job):
    """Answers requests `{"path", "job", "out"}` until stdin ends.

    `job(data, settings)` takes the bytes of a file and gives the bytes, width and height of the result.
    Reading the file and writing the result are outside the clocks: a server has both in memory.
    """
    print(json.dumps({"name": name, "versions": versions}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            data = Path(request["path"]).read_bytes()
            wall = time.perf_counter()
            # CLOCK_PROCESS_CPUTIME_ID: user and system time of all threads of this process.
            cpu = time.process_time()
            result, width, height = job(data, request["job"])
            cpu = time.process_time() - cpu
            wall = time.perf_counter() - wall
            if request.get("out"):
                Path(request["out"]).write_bytes(result)
            answer = {"cpu": cpu, "wall": wall, "bytes": len(result), "width": width, "height": height}
        except Exception as error:  # whatever a library raises is this file's answer
            answer = {"error": f"{type(error).__name__}: {error}"[:2000]}
        answer["peak_kib"] = peak_kib()
        print(json.dumps(answer), flush=True)
