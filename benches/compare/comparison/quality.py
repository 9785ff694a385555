"""SSIMULACRA2 of every result against the independent reference of `workers/reference_worker.py`."""

import tempfile
from pathlib import Path

from .measure import output_path
from .peers import HERE, Runner, build, pillow_python
from .worker import Worker


def scores(measured, files, outputs, progress):
    """Adds `"score"` to each file of each library, or `"unscored"` with the reason; and the pixel counts."""
    reference = Runner("reference", [pillow_python(), HERE / "workers/reference_worker.py"])
    ssim2 = Runner("ssim2", [build("ssim2")])
    pixels = {}
    progress("scoring")
    with Worker(reference, greets=False) as references, Worker(ssim2, greets=False) as scorer:
        for number, path in enumerate(files):
            names = [name for name in measured if "error" not in measured[name]["files"][str(path)]]
            paths = [str(output_path(outputs, name, number)) for name in names]
            with tempfile.TemporaryDirectory() as folder:
                folder = str(Path(folder))
                answer = references.ask({"source": str(path), "outputs": paths, "folder": folder})
                pixels[str(path)] = answer.get("pixels")
                found = answer.get("found") or [{"error": answer["error"]}] * len(names)
                for name, raw in zip(names, found):
                    scored = raw if "error" in raw else scorer.ask(raw)
                    of_file = measured[name]["files"][str(path)]
                    if "error" in scored:
                        of_file["unscored"] = scored["error"]
                    else:
                        of_file["score"] = scored["score"]
                        of_file["size"] = [raw["width"], raw["height"]]
    return pixels
