// sharp, single-threaded, its cache off; the same protocol as loop.py.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(process.argv[2] + "/");
const sharp = require("sharp");
sharp.concurrency(1);
sharp.cache(false);

function peakKib() {
  const match = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "latin1"));
  return match ? Number(match[1]) : null;
}

async function job(data, settings) {
  let image = sharp(data)
    .autoOrient()
    .resize(settings.width, settings.height, {
      fit: "inside",
      withoutEnlargement: true,
      kernel: "lanczos3",
    });
  if (settings.format === "jpeg") {
    image = image.flatten({ background: "#ffffff" }).jpeg({ quality: settings.quality, optimizeCoding: true });
  } else if (settings.format === "avif") {
    image = image.avif({ quality: settings.sharp, effort: 4 });
  } else if (settings.format === "png") {
    image = image.png({ palette: true, quality: settings.sharp });
  } else {
    image = image.webp({ quality: settings.quality, effort: 4 });
  }
  return image.toBuffer({ resolveWithObject: true });
}

const versions = `sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, node ${process.versions.node}`;
console.log(JSON.stringify({ name: "sharp", versions }));
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    const data = readFileSync(request.path);
    const wall = process.hrtime.bigint();
    const before = process.cpuUsage(); // getrusage(RUSAGE_SELF): all threads of the process
    const { data: result, info } = await job(data, request.job);
    const used = process.cpuUsage(before);
    const elapsed = Number(process.hrtime.bigint() - wall) / 1e9;
    if (request.out) writeFileSync(request.out, result);
    answer = {
      cpu: (used.user + used.system) / 1e6,
      wall: elapsed,
      bytes: result.length,
      width: info.width,
      height: info.height,
    };
  } catch (error) {
    answer = { error: String(error).slice(0, 2000) };
  }
  answer.peak_kib = peakKib();
  console.log(JSON.stringify(answer));
}
