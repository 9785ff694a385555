//! `lablink_storage::optimize` behind the protocol of `workers/loop.py`, and two more requests that only
//! this side answers: throughput on several threads, and how long a refusal takes.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lablink_storage::{Limits, OptimizeOptions, OutputFormat, optimize};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout();
    let versions = std::env::args().nth(1).unwrap_or_default();
    writeln!(
        out,
        "{}",
        json!({ "name": "lablink-storage", "versions": versions })
    )?;
    for line in std::io::stdin().lock().lines() {
        let request: Value = serde_json::from_str(&line?)?;
        let mut answer = answer(&request).unwrap_or_else(|e| json!({ "error": e.to_string() }));
        answer["peak_kib"] = json!(peak_kib());
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(request: &Value) -> Result<Value, Failure> {
    let options = options(&request["job"])?;
    if let Some(paths) = request["paths"].as_array() {
        let threads = request["threads"].as_u64().unwrap_or(1) as usize;
        return throughput(paths, threads, &options);
    }
    let path = request["path"].as_str().ok_or("no path")?;
    let data = std::fs::read(path)?;
    if let Some(times) = request["refuse"].as_u64() {
        return refusal(&data, times, &options);
    }
    let (wall, cpu) = (Instant::now(), cpu_time());
    let image = optimize(&data, &options)?;
    let (cpu, wall) = (cpu_time() - cpu, wall.elapsed());
    if let Some(out) = request["out"].as_str() {
        std::fs::write(out, &image.data)?;
    }
    Ok(json!({
        "cpu": cpu.as_secs_f64(), "wall": wall.as_secs_f64(),
        "bytes": image.data.len(), "width": image.width, "height": image.height,
    }))
}

fn options(job: &Value) -> Result<OptimizeOptions, Failure> {
    let number = |name: &str| job[name].as_u64().ok_or_else(|| format!("no {name}"));
    let format = match job["format"].as_str() {
        Some("jpeg") => OutputFormat::Jpeg,
        Some("png") => OutputFormat::Png,
        Some("webp") => OutputFormat::WebP,
        Some("avif") => OutputFormat::Avif,
        other => return Err(format!("no such format: {other:?}").into()),
    };
    let mut limits = Limits::default();
    if let Some(bytes) = job["max_bytes"].as_u64() {
        limits = limits.with_max_bytes(bytes);
    }
    Ok(OptimizeOptions::default()
        .with_max_size(number("width")?.try_into()?, number("height")?.try_into()?)
        .with_quality(number("quality")?.try_into()?)
        .with_format(format)
        .with_limits(limits))
}

/// Every file once, on so many threads, the next file to whoever is free; all bytes are read beforehand.
fn throughput(
    paths: &[Value],
    threads: usize,
    options: &OptimizeOptions,
) -> Result<Value, Failure> {
    let files = paths
        .iter()
        .map(|path| Ok(std::fs::read(path.as_str().ok_or("a path is no string")?)?))
        .collect::<Result<Vec<_>, Failure>>()?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), Failure> {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            optimize(file, options)?;
        }
        Ok(())
    };
    let wall = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_| Err("a thread panicked".into()))
        })
    })?;
    Ok(json!({ "wall": wall.elapsed().as_secs_f64() }))
}

/// The median and the longest of so many refusals; an acceptance is an error.
fn refusal(data: &[u8], times: u64, options: &OptimizeOptions) -> Result<Value, Failure> {
    let mut seconds = Vec::new();
    let mut why = String::new();
    for _ in 0..times.max(1) {
        let start = Instant::now();
        let result = optimize(data, options);
        seconds.push(start.elapsed().as_secs_f64());
        match result {
            Ok(_) => return Err("it was accepted".into()),
            Err(e) => why = e.to_string(),
        }
    }
    seconds.sort_by(f64::total_cmp);
    Ok(json!({
        "median": seconds[seconds.len() / 2], "longest": seconds[seconds.len() - 1], "refused": why,
    }))
}

/// User and system time of all threads of this process.
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Peak resident memory.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
