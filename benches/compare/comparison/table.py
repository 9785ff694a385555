"""From the raw answers to totals, ratios and the table."""

import re
import statistics


def done(measured, name):
    return {path for path, of_file in measured[name]["files"].items() if "error" not in of_file}


def total(measured, name, key, paths):
    """Sum over files of the best of the rounds."""
    of_files = measured[name]["files"]
    return sum(min(answer[key] for answer in of_files[path]["rounds"]) for path in paths)


def pairs(measured, name, other, key, paths):
    """The ratio of the two libraries' totals in each round."""
    def by_round(of):
        lists = [measured[of]["files"][path]["rounds"] for path in paths]
        return [sum(answer[key] for answer in turn) for turn in zip(*lists)]

    return [a / b for a, b in zip(by_round(name), by_round(other))]


def ratio(measured, name, other, key):
    """Best of the rounds and median of the pairs over the files that both did; None where there are none."""
    paths = sorted(done(measured, name) & done(measured, other)) if other in measured else []
    if not paths:
        return None
    best = total(measured, name, key, paths) / total(measured, other, key, paths)
    return {"best": best, "median": statistics.median(pairs(measured, name, other, key, paths))}


def summarize(measured, peaks, relative_to):
    """One row a library; what is relative is over the files that it and the named peer both did."""
    rows = []
    for name in measured:
        paths = sorted(done(measured, name))
        row = {"name": name, "versions": measured[name]["versions"], "files": len(paths), "peak_kib": peaks.get(name)}
        if paths:
            of_files = measured[name]["files"]
            scored = [of_files[path]["score"] for path in paths if "score" in of_files[path]]
            row |= {key: total(measured, name, key, paths) for key in ("cpu", "wall", "bytes")}
            row |= {"mean": statistics.fmean(scored), "min": min(scored)} if scored else {}
            row["cpu_ratio"] = ratio(measured, name, relative_to, "cpu")
            row["bytes_ratio"] = ratio(measured, name, relative_to, "bytes")
        rows.append(row)
    return rows


def render(rows, relative_to, largest):
    """The table in Markdown, as the README takes it."""
    lines = [
        f"| | CPU ms | CPU, {relative_to} = 1: best / median | wall ms | bytes MB | bytes, {relative_to} = 1 "
        f"| SSIM2 mean / min | peak MB, {largest} | files |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if not row["files"]:
            lines.append(f"| {row['versions']} | | | | | | | | 0 |")
            continue
        cpu, size = row["cpu_ratio"], row["bytes_ratio"]
        cells = [
            row["versions"],
            f"{row['cpu'] * 1000:.0f}",
            f"{cpu['best']:.2f} / {cpu['median']:.2f}" if cpu else "",
            f"{row['wall'] * 1000:.0f}",
            f"{row['bytes'] / 1e6:.2f}",
            f"{size['best']:.3f}" if size else "",
            f"{row['mean']:.1f} / {row['min']:.1f}" if "mean" in row else "",
            f"{row['peak_kib'] * 1.024e-3:.0f}" if row["peak_kib"] else "failed",
            str(row["files"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def left_out(measured, files):
    """What was not done or not scored, and why: one line for each library and reason."""
    reasons = {}
    for path in files:
        for name in measured:
            of_file = measured[name]["files"][str(path)]
            if "error" in of_file:
                reasons.setdefault((name, "does not take", plain(of_file["error"])), []).append(path.name)
            elif "unscored" in of_file:
                reasons.setdefault((name, "not scored", plain(of_file["unscored"])), []).append(path.name)
    lines = []
    for (name, what, why), found in reasons.items():
        which = "any file" if len(found) == len(files) else ", ".join(found)
        lines.append(f"- {name}, {what} {len(found)}: {which} ({why})")
    return lines


def plain(error):
    """The last line of a library's error, without addresses and offsets that differ from file to file."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return re.sub(r" <[^>]*>", "", lines[-1])[:120] if lines else "no reason given"
