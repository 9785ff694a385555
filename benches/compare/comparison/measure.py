"""The rounds. File by file, every library in turn, so that a drift of the machine meets all alike."""

import os
import statistics

from .inputs import write_bombs
from .peers import OURS
from .worker import Worker


def rounds(runners, files, job, count, outputs, progress):
    """Measures every file with every library `count` times after one unmeasured time.

    Gives `{name: {"versions", "files": {path: {"rounds": [answer…]} | {"error"}}}}`. The unmeasured time
    warms caches and just-in-time compilers up and leaves each result in `outputs`, for the quality.
    """
    workers = [Worker(runner) for runner in runners]
    found = {worker.runner.name: {"files": {}} for worker in workers}
    try:
        for turn in range(count + 1):
            progress(f"round {turn} of {count}" if turn else "warming up")
            for number, path in enumerate(files):
                first = (turn + number) % len(workers)
                for worker in workers[first:] + workers[:first]:
                    of_file = found[worker.runner.name]["files"].setdefault(str(path), {"rounds": []})
                    if "error" in of_file:
                        continue
                    out = output_path(outputs, worker.runner.name, number) if turn == 0 else None
                    answer = worker.ask({"path": str(path), "job": job, "out": out and str(out)})
                    if "error" in answer:
                        of_file["error"] = answer["error"]
                    elif turn:
                        of_file["rounds"].append(answer)
        for worker in workers:
            found[worker.runner.name]["versions"] = worker.versions
    finally:
        for worker in workers:
            worker.close()
    return found


def output_path(outputs, name, number):
    return outputs / f"{name}-{number}"


def peaks(runners, path, job):
    """Peak resident KiB of a fresh process that does one file and no other."""
    found = {}
    for runner in runners:
        with Worker(runner) as worker:
            answer = worker.ask({"path": str(path), "job": job})
        found[runner.name] = None if "error" in answer else answer["peak_kib"]
    return found


def throughput(runners, files, job, count):
    """Our wall time on one thread and on two, in alternating rounds; None where it cannot be told."""
    ours = [runner for runner in runners if runner.name == OURS]
    if not ours or len(os.sched_getaffinity(0)) < 2:
        return None
    # The largest first and each twice, so that no thread waits long for the last file.
    paths = sorted(map(str, files), key=os.path.getsize, reverse=True) * 2
    seconds = {1: [], 2: []}
    with Worker(ours[0]) as worker:
        for _ in range(count):
            for threads in seconds:
                answer = worker.ask({"paths": paths, "threads": threads, "job": job})
                if "error" in answer:
                    return None
                seconds[threads].append(answer["wall"])
    pairs = [one / two for one, two in zip(seconds[1], seconds[2])]
    return {"best": min(seconds[1]) / min(seconds[2]), "median": statistics.median(pairs), "seconds": seconds}


def refusals(runners, folder, job):
    """How long we take to refuse a bomb; and what the others do with it, once each."""
    limits = {key: value for key, value in job.items() if key != "max_bytes"}
    found = {}
    for path in write_bombs(folder):
        for runner in runners:
            ask = {"path": str(path), "job": limits}
            with Worker(runner) as worker:
                answer = worker.ask({**ask, "refuse": 201} if runner.name == OURS else ask)
            found.setdefault(path.name, {})[runner.name] = answer
    return found
