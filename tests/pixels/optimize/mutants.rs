//! Files with random damage: no panic, caught ones included, none that takes long, none that comes out as
//! something that does not open.
//!
//! `tests/long` runs millions of them in release with overflow checks: LABLINK_MUTANTS says how many,
//! LABLINK_SEED where the numbers begin. What goes wrong is written to `target/mutants` and becomes a file of
//! `tests/fixtures/fuzz`.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lablink_storage::{Animation, ImageFormat, Limits, OptimizeOptions, OutputFormat, optimize};

use super::files;

const NORMAL_RUN: u64 = 1000;
const LARGEST: usize = 64 << 10;
const MAX_CPU: Duration = Duration::from_secs(1);
const MAX_PEAK_KIB: u64 = 300 << 10;

thread_local!(static PANICS: Cell<u32> = const { Cell::new(0) });

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// A few random edits, most of them near others, as damage and malice are.
fn mutate(file: &mut Vec<u8>, donor: &[u8], random: &mut Random) {
    const ODD: [u8; 10] = [0, 1, 2, 0x3f, 0x40, 0x7f, 0x80, 0xd9, 0xfe, 0xff];
    let edits = 1 + random.below(6);
    let home = random.below(file.len());
    for _ in 0..edits {
        if file.is_empty() {
            return;
        }
        let reach = [16, 256, file.len()][random.below(3)];
        let at = (home + random.below(reach)) % file.len();
        let length = (1 + random.below(24)).min(file.len() - at);
        match random.below(9) {
            0 | 1 => file[at] ^= 1 << random.below(8),
            2 => file[at] = random.next() as u8,
            3 => file[at] = ODD[random.below(ODD.len())],
            4 => file[at..at + length].fill(ODD[random.below(ODD.len())]),
            5 => drop(file.drain(at..at + length)),
            6 => {
                let again = file[at..at + length].to_vec();
                file.splice(at..at, again);
            }
            7 => {
                let from = random.below(donor.len());
                let part = &donor[from..(from + length).min(donor.len())];
                let end = (at + part.len()).min(file.len());
                file.splice(at..end, part.iter().copied());
            }
            _ if random.below(8) == 0 => file.truncate(at),
            _ => file[at] = file[at].wrapping_add(1),
        }
    }
    file.truncate(LARGEST);
}

/// Makes the sums of a PNG right again, and the lengths of a WebP: damage behind them reaches deeper.
fn repair(file: &mut Vec<u8>, random: &mut Random) {
    match ImageFormat::sniff(file) {
        Ok(ImageFormat::Png) => *file = repaired_png(file, random),
        Ok(ImageFormat::WebP) => {
            let size = (file.len() as u32).saturating_sub(8);
            file[4..8].copy_from_slice(&size.to_le_bytes());
        }
        _ => {}
    }
}

/// The chunks anew, their checksums right; sometimes with damage in the rows instead of in what packs them.
fn repaired_png(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut repaired = file[..8].to_vec();
    let (mut at, mut data) = (8, Vec::new());
    let unpack = random.below(2) == 0;
    while let Some(header) = file.get(at..at + 8) {
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let kind = [header[4], header[5], header[6], header[7]];
        let body = &file[at + 8..(at + 8).saturating_add(length).min(file.len())];
        at = (at + 12).saturating_add(length).min(file.len());
        if kind == *b"IDAT" && unpack {
            data.extend_from_slice(body);
            continue;
        }
        if !data.is_empty() {
            let mut rows = fdeflate::decompress_to_vec_bounded(&data, 1 << 20).unwrap_or_default();
            data.clear();
            for _ in 0..random.below(4) {
                let count = rows.len();
                if let Some(byte) = rows.get_mut(random.below(count)) {
                    *byte = random.next() as u8;
                }
            }
            write_chunk(&mut repaired, *b"IDAT", &fdeflate::compress_to_vec(&rows));
        }
        write_chunk(&mut repaired, kind, body);
    }
    repaired
}

fn write_chunk(out: &mut Vec<u8>, kind: [u8; 4], body: &[u8]) {
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    let begin = out.len();
    out.extend_from_slice(&kind);
    out.extend_from_slice(body);
    let checksum = crc32fast::hash(&out[begin..]);
    out.extend_from_slice(&checksum.to_be_bytes());
}

/// What this thread has had of a processor.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Small files of the formats that are accepted: the project's own, and where it is there the corpus's.
fn seeds() -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = ["formats", "odd", "fuzz", "jpeg", "jpeg_odd"]
        .iter()
        .flat_map(|name| files(&format!("tests/fixtures/{name}")))
        .chain(files("fuzz/seeds"))
        .collect();
    if let Some(corpus) = std::env::var_os("LABLINK_CORPUS").map(PathBuf::from) {
        for directory in ["valid", "hostile/weird", "hostile/fuzz", "hostile/wild"] {
            let entries = std::fs::read_dir(corpus.join(directory))
                .into_iter()
                .flatten();
            paths.extend(entries.flatten().map(|entry| entry.path()));
        }
    }
    paths.sort();
    let contents = paths.iter().filter_map(|path| std::fs::read(path).ok());
    contents
        .filter(|bytes| bytes.len() <= LARGEST && ImageFormat::sniff(bytes).is_ok())
        .collect()
}

/// The seeds, those of few pixels more often: one of 16 megapixels takes as long as hundreds of small ones, and they
/// have the same code to break.
fn weighted(seeds: &[Vec<u8>], limits: &Limits) -> Vec<usize> {
    let small = OptimizeOptions::default()
        .with_max_size(48, 48)
        .with_limits(limits.clone());
    let times = |seed: &[u8]| match optimize(seed, &small) {
        Ok(image) => {
            let pixels = u64::from(image.source.width) * u64::from(image.source.height);
            (64 / (1 + pixels / (1 << 14))).max(1) as usize
        }
        Err(_) => 64,
    };
    let indexes = seeds.iter().enumerate();
    indexes
        .flat_map(|(index, seed)| std::iter::repeat_n(index, times(seed)))
        .collect()
}

/// What is wrong with how one file is treated, if anything is.
fn fault(file: &[u8], random: &mut Random, limits: &Limits) -> Option<String> {
    const FORMATS: [OutputFormat; 4] = [
        OutputFormat::Jpeg,
        OutputFormat::Png,
        OutputFormat::WebP,
        OutputFormat::Auto,
    ];
    // As it comes, or within a box that has nearly all of them resized. Larger results would be a measure of the
    // encoders: of 12 megapixels they take a second whatever the file is.
    let options = match random.below(2) {
        0 => OptimizeOptions::default().with_max_size(48, 48),
        _ => OptimizeOptions::default(),
    };
    let format = FORMATS[random.below(4)];
    // Only these can be animated.
    let animation = match format {
        OutputFormat::WebP | OutputFormat::Auto if random.below(2) == 0 => Animation::Keep,
        _ => Animation::FirstFrame,
    };
    let options = options
        .with_format(format)
        .with_animation(animation)
        .with_accept_truncated(random.below(4) == 0)
        .with_limits(limits.clone());
    PANICS.set(0);
    let started = cpu();
    let result = optimize(file, &options);
    let took = cpu() - started;
    if PANICS.get() > 0 {
        return Some("panicked".into());
    }
    if took > MAX_CPU {
        return Some(format!("took {took:?}"));
    }
    let image = result.ok()?;
    if random.below(8) == 0
        && let Err(error) = optimize(&image.data, &options)
    {
        return Some(format!("the result is refused: {error}"));
    }
    None
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn damaged_files_do_no_harm() {
    let long_run = number("LABLINK_MUTANTS");
    let count = long_run.unwrap_or(NORMAL_RUN);
    let seed = number("LABLINK_SEED").unwrap_or(1);
    // In a short run nothing is optimized.
    let limits = match long_run {
        Some(_) => Limits::default(),
        None => Limits::default().with_max_pixels(1 << 14),
    };
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.set(PANICS.get() + 1);
        hook(info);
    }));
    let seeds = seeds();
    assert!(seeds.len() > 30, "{} seeds", seeds.len());
    let weighted = weighted(&seeds, &limits);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let work = || {
        let mut faults = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return faults;
            }
            let mut random = Random(seed.wrapping_add(index).wrapping_mul(0x0005_deec_e66d));
            let mut file = seeds[weighted[random.below(weighted.len())]].clone();
            let donor = &seeds[random.below(seeds.len())];
            mutate(&mut file, donor, &mut random);
            if random.below(2) == 0 {
                repair(&mut file, &mut random);
            }
            if let Some(fault) = fault(&file, &mut random, &limits) {
                faults.push(saved(&file, seed.wrapping_add(index), &fault));
            }
        }
    };
    let faults: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let all = workers.into_iter().map(|worker| worker.join());
        all.flat_map(|faults| faults.expect("no panic here"))
            .collect()
    });
    println!("{count} files from {seed} on, {} seeds", seeds.len());
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
    if let (Some(_), Some(kib)) = (long_run, peak_kib()) {
        let most = MAX_PEAK_KIB * threads as u64;
        assert!(
            kib <= most,
            "{} MiB at its peak, at most {}",
            kib >> 10,
            most >> 10
        );
    }
}

fn saved(file: &[u8], index: u64, fault: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mutants");
    let path = directory.join(format!("{index}.bin"));
    let written = std::fs::create_dir_all(&directory).and_then(|()| std::fs::write(&path, file));
    match written {
        Ok(()) => format!("{}: {fault}", path.display()),
        Err(error) => format!("{index} ({error}): {fault}"),
    }
}
