"""The points that have to be shown, each with what was measured and whether it holds."""

from .peers import OURS
from .table import done, ratio

MEMORY_PIXELS = 40_000_000  # a "48 MP" file


def point(what, measured, holds):
    return {"what": what, "measured": measured, "holds": holds}


def _missing(what):
    return point(what, "not measured", None)


def _worse(found):
    """Of best-of-rounds and median-of-pairs the less favourable."""
    return max(found["best"], found["median"])


def _cpu(measured, peers, most, what):
    ratios = {peer: ratio(measured, OURS, peer, "cpu") for peer in peers if peer in measured}
    ratios = {peer: found for peer, found in ratios.items() if found}
    if not ratios:
        return _missing(what)
    peer, found = max(ratios.items(), key=lambda item: _worse(item[1]))
    text = f"{found['best']:.2f} best, {found['median']:.2f} median, of {peer}"
    return point(what, text, _worse(found) <= most)


def _bytes(measured):
    what = "bytes at most 0.95 of the smaller of sharp and pyvips"
    ratios = [(ratio(measured, OURS, peer, "bytes"), peer) for peer in ("sharp", "pyvips") if peer in measured]
    ratios = [(found["best"], peer) for found, peer in ratios if found]
    if not ratios:
        return _missing(what)
    most, peer = max(ratios)
    return point(what, f"{most:.3f} of {peer}", most <= 0.95)


def _quality(measured):
    mean = "SSIMULACRA2 mean at most 0.5 below Pillow's"
    least = "SSIMULACRA2 of no file under 77.5 where Pillow's is above 79"
    if "pillow" not in measured:
        return [_missing(mean), _missing(least)]
    ours, theirs = measured[OURS]["files"], measured["pillow"]["files"]
    both = [path for path in ours if "score" in ours[path] and "score" in theirs[path]]
    if not both:
        return [_missing(mean), _missing(least)]
    apart = sum(ours[path]["score"] - theirs[path]["score"] for path in both) / len(both)
    good = [path for path in both if theirs[path]["score"] > 79]
    low, where = min(((ours[path]["score"], path) for path in good), default=(None, ""))
    text = "no such file" if low is None else f"{low:.1f} ({where.rsplit('/', 1)[-1]})"
    return [
        point(mean, f"{apart:+.2f} over {len(both)} files", apart >= -0.5),
        point(least, text, low is None or low >= 77.5),
    ]


def _as_good(measured, less):
    what = "SSIMULACRA2 mean not below sharp's" + (f" by more than {less}" if less else "")
    if "sharp" not in measured:
        return _missing(what)
    ours, theirs = measured[OURS]["files"], measured["sharp"]["files"]
    both = [path for path in ours if "score" in ours[path] and "score" in theirs[path]]
    if not both:
        return _missing(what)
    apart = sum(ours[path]["score"] - theirs[path]["score"] for path in both) / len(both)
    return point(what, f"{apart:+.2f} over {len(both)} files", apart >= -less)


def _small(measured, most):
    whats = [f"bytes of {which} at most {most} of sharp's" for which in ("all files", "each file")]
    ours, theirs = (measured.get(name, {"files": {}})["files"] for name in (OURS, "sharp"))
    sizes = {
        path: (ours[path]["rounds"][0]["bytes"], theirs[path]["rounds"][0]["bytes"])
        for path in ours
        if ours[path].get("rounds") and theirs.get(path, {}).get("rounds")
    }
    if not sizes:
        return [_missing(what) for what in whats]
    total = sum(mine for mine, _ in sizes.values()) / sum(other for _, other in sizes.values())
    largest, path = max((mine / other, path) for path, (mine, other) in sizes.items())
    return [
        point(whats[0], f"{total:.3f} over {len(sizes)} files", total <= most),
        point(whats[1], f"{largest:.3f} ({path.rsplit('/', 1)[-1]})", largest <= most),
    ]


def _memory(peaks, largest_pixels):
    what = "peak memory of a 48 MP baseline JPEG at most 40 MB"
    kib = peaks.get(OURS)
    if not kib or (largest_pixels or 0) < MEMORY_PIXELS:
        return _missing(what)
    return point(what, f"{kib * 1.024e-3:.1f} MB", kib * 1.024e-3 <= 40)


def _throughput(found):
    what = "two threads at least 1.8 times one"
    if not found:
        return _missing(what)
    return point(what, f"{found['best']:.2f} best, {found['median']:.2f} median", min(found["best"], found["median"]) >= 1.8)


def _refusal(found):
    what = "a bomb refused in under 1 ms"
    ours = [(answers[OURS], name) for name, answers in found.items() if OURS in answers]
    if not ours:
        return _missing(what)
    accepted = [name for answer, name in ours if "median" not in answer]
    if accepted:
        return point(what, f"not refused: {', '.join(accepted)}", False)
    slowest, name = max((answer["median"], name) for answer, name in ours)
    return point(what, f"{slowest * 1e6:.1f} µs, median of 201 ({name})", slowest < 1e-3)


def points(job, reach, measured, peaks, largest_pixels, throughput, refusals):
    """`reach`: what PERFORMANCE asks on its own set of camera files; else that no peer is ahead in total."""
    if not measured.get(OURS) or not done(measured, OURS):
        return [_missing("lablink-storage did no file")]
    peers = [name for name in measured if name != OURS]
    if job in ("png-in", "webp-in"):
        return [_cpu(measured, peers, 0.8, "CPU at most 0.8 of the best peer")]
    if job == "avif-in":
        return [_cpu(measured, ("sharp",), 1.5, "CPU of decoding at most 1.5 of sharp's")]
    if job == "avif":
        return [_cpu(measured, ("sharp",), 1.0, "CPU below sharp's at effort 4"), _as_good(measured, 0.5)]
    if job == "drawings":
        return [*_small(measured, 1.1), _as_good(measured, 0.0)]
    found = []
    if job == "jpeg" and reach:
        most = "CPU at most 0.70 of the faster of sharp and pyvips (goal 0.50)"
        found = [_cpu(measured, ("sharp", "pyvips"), 0.70, most), _bytes(measured), *_quality(measured)]
        found += [_memory(peaks, largest_pixels), _throughput(throughput), _refusal(refusals)]
    else:
        found.append(_cpu(measured, peers, 1.0, "CPU in total: no peer ahead"))
    return found


def render(found):
    words = {True: "pass", False: "FAIL", None: "----"}
    return "\n".join(f"{words[each['holds']]}  {each['what']}: {each['measured']}" for each in found)
