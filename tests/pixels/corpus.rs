//! Every file of the shared corpus through the optimizer: `accept` gives a picture of the expected size that
//! another decoder opens, `refuse` a typed error, nothing panics, is slow, large in memory or lets a canary
//! through.
//!
//! A spread of every kind, or in release and with LABLINK_TEST_FULL=1 all of them:
//! `cargo test --release --test pixels corpus::`; the corpus is `LABLINK_CORPUS` or `../shared/corpus`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use lablink_storage::{ImageFormat, OptimizeOptions, OptimizedImage, OutputFormat, optimize};
use zune_jpeg::zune_core::bytestream::ZCursor;

use crate::common::{alone, corpus, full};

/// The test below, and what tells its child processes which file is theirs.
const NAME: &str = "every_file_is_treated_as_the_manifest_says";
const ONE_FILE: &str = "LABLINK_CORPUS_FILE";
const CANARY: &[u8] = b"CANARY_8c5e682bb2a1";
/// The tests' own build is hardly optimized, and checks every sum and index.
const MAX_CPU_MS: u64 = if cfg!(debug_assertions) { 10_000 } else { 1000 };
const MAX_PEAK_KIB: u64 = 300 << 10;

struct Entry {
    path: String,
    expected: String,
    fitted: Option<(u32, u32)>,
    /// Its place among all.
    turn: usize,
}

fn entries(manifest: &str) -> Vec<Entry> {
    let mut lines = manifest.lines().map(fields);
    let header = lines.next().expect("a header line");
    let column = |name: &str| {
        let found = header.iter().position(|field| field == name);
        found.unwrap_or_else(|| panic!("no column {name}"))
    };
    let (path, format, expected) = (column("path"), column("format"), column("expected"));
    let (width, height) = (column("fit1200_w"), column("fit1200_h"));
    lines
        .enumerate()
        .map(|(turn, line)| Entry {
            turn,
            path: line[path].clone(),
            expected: expectation(&line[path], &line[format], &line[expected]).to_owned(),
            fitted: (!is_turned_wrongly(&line[path]))
                .then(|| line[width].parse().ok().zip(line[height].parse().ok()))
                .flatten(),
        })
        .collect()
}

/// The manifest says `refuse` of the formats that only a feature brings. With it, what is valid is accepted, and
/// what is odd or damaged may be, as decoders differ there.
fn expectation<'a>(path: &str, format: &str, expected: &'a str) -> &'a str {
    let extension = Path::new(path).extension().and_then(|kind| kind.to_str());
    let extension = extension.map(|kind| if kind == "hif" { "heic" } else { kind });
    let format = extension
        .and_then(ImageFormat::from_extension)
        .or_else(|| ImageFormat::from_extension(format));
    let by_feature = |format| {
        use ImageFormat::{Avif, Bmp, Heic, Tiff};
        matches!(format, Avif | Bmp | Heic | Tiff) && format.is_accepted()
    };
    if !format.is_some_and(by_feature) {
        return expected;
    }
    let folders: Vec<&str> = path.split('/').collect();
    /// Kinds that `image` does not read either: signed or 12-bit samples, a rare compression, pages in a circle.
    const RARE: [&str; 5] = [
        "Pillow__12bit.cropped.tif",
        "Pillow__16_bit_binary_pgm.tiff",
        "Pillow__16bit.s.tif",
        "Pillow__compression.tif",
        "Pillow__multipage_single_frame_loop.tiff",
    ];
    match folders[..] {
        ["valid", name] if RARE.contains(&name) => "either",
        ["valid" | "photos", ..] => "accept",
        // What was cut off is a later page: all tiles of the first one are there.
        [
            "hostile",
            "truncated",
            "tiff_cut_0.75.tif" | "tiff_cut_0.97.tif",
        ] => "accept",
        ["hostile", "wild" | "bitdamage" | "fuzz", ..] => "either",
        _ => expected,
    }
}

/// Whether the manifest has the size of a file turned once too often or too little; Chromium and Pillow show it
/// as we do.
fn is_turned_wrongly(path: &str) -> bool {
    path.starts_with("valid/Pillow__g4_orientation_")
        || path == "valid/Pillow__rot1mir1.avif"
        || path.contains("__kimono.") && path.contains(".rotate")
}

/// The fields of a line of CSV, where quotes protect commas.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().expect("one at least").push(character),
        }
    }
    fields
}

/// Whether all of it is wanted; the tests' own build takes ten times as long for it.
fn whole() -> bool {
    full() && !cfg!(debug_assertions)
}

/// Keeps four files of every folder, kind and verdict.
fn spread(entries: &mut Vec<Entry>) {
    let mut kept = BTreeMap::new();
    entries.retain(|entry| {
        let path = Path::new(&entry.path);
        let kind = (
            path.parent().map(Path::to_path_buf),
            path.extension().map(|kind| kind.to_ascii_lowercase()),
            entry.expected.clone(),
        );
        let count = kept.entry(kind).or_insert(0);
        *count += 1;
        *count <= 4
    });
}

/// Nanoseconds that this thread has spent on a CPU.
fn cpu_ns() -> u64 {
    let text =
        fs::read_to_string("/proc/thread-self/schedstat").expect("Linux scheduler statistics");
    text.split(' ')
        .next()
        .and_then(|ns| ns.parse().ok())
        .expect("a number")
}

/// Peak resident memory of this process in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("process status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let value = line.and_then(|line| line.trim().strip_suffix(" kB"));
    value.and_then(|kib| kib.parse().ok()).expect("a number")
}

/// The size that a decoder other than ours finds.
fn decoded_size(image: &OptimizedImage) -> Result<(u32, u32), String> {
    match image.format {
        ImageFormat::Jpeg => {
            let mut decoder = zune_jpeg::JpegDecoder::new(ZCursor::new(&image.data[..]));
            decoder.decode().map_err(|error| error.to_string())?;
            let info = decoder.info().ok_or("no header")?;
            Ok((info.width.into(), info.height.into()))
        }
        ImageFormat::Png => {
            let decoder = png::Decoder::new(Cursor::new(&image.data[..]));
            let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
            let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large")?];
            reader
                .next_frame(&mut pixels)
                .map_err(|error| error.to_string())?;
            Ok((reader.info().width, reader.info().height))
        }
        ImageFormat::WebP => {
            let decoder = image_webp::WebPDecoder::new(Cursor::new(&image.data[..]));
            let mut decoder = decoder.map_err(|error| error.to_string())?;
            let mut pixels = vec![0; decoder.output_buffer_size().ok_or("too large")?];
            decoder
                .read_image(&mut pixels)
                .map_err(|error| error.to_string())?;
            Ok(decoder.dimensions())
        }
        format => Err(format!("unexpected format {format}")),
    }
}

/// What is wrong with how one file was treated, and the milliseconds of CPU that it took.
fn judge(entry: &Entry, bytes: &[u8], format: OutputFormat) -> (Vec<String>, u64) {
    let options = OptimizeOptions::default().with_format(format);
    let started = cpu_ns();
    let result = catch_unwind(|| optimize(bytes, &options));
    let milliseconds = (cpu_ns() - started) / 1_000_000;
    let mut faults = Vec::new();
    if milliseconds > MAX_CPU_MS {
        faults.push(format!("{milliseconds} ms of CPU"));
    }
    match (result, entry.expected.as_str()) {
        (Err(_), _) => faults.push("panicked".into()),
        (Ok(Err(error)), "accept") => faults.push(format!("refused: {error}")),
        (Ok(Ok(_)), "refuse") => faults.push("accepted".into()),
        (Ok(Err(_)), _) => {}
        (Ok(Ok(image)), expected) => {
            if image
                .data
                .windows(CANARY.len())
                .any(|window| window == CANARY)
            {
                faults.push("the canary came through".into());
            }
            match decoded_size(&image) {
                Err(error) => faults.push(format!("the result does not decode: {error}")),
                Ok(size) if size != (image.width, image.height) => {
                    faults.push(format!(
                        "the result is {size:?}, said to be {:?}",
                        (image.width, image.height)
                    ));
                }
                Ok((width, height)) => {
                    let near = entry
                        .fitted
                        .is_none_or(|(w, h)| w.abs_diff(width) <= 1 && h.abs_diff(height) <= 1);
                    if expected == "accept" && !near {
                        faults.push(format!("{width}x{height}, expected {:?}", entry.fitted));
                    }
                }
            }
        }
    }
    (faults, milliseconds)
}

const ALL: [OutputFormat; 3] = [OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::WebP];

/// Does one file in this process, and prints what was wrong and what it took.
fn child(root: &Path, entry: &Entry) {
    let bytes = fs::read(root.join(&entry.path)).expect("a readable file");
    let formats = match entry.expected.as_str() {
        // Of the spread, each file is made into one of them in turn.
        "accept" if !whole() => &ALL[entry.turn % ALL.len()..][..1],
        "accept" => &ALL[..],
        "refuse" => &ALL[..1],
        _ => &[OutputFormat::Jpeg, OutputFormat::Auto][..],
    };
    let formats = formats
        .iter()
        .filter(|&&format| cfg!(feature = "webp") || format != OutputFormat::WebP);
    for &format in formats {
        let (faults, milliseconds) = judge(entry, &bytes, format);
        for fault in faults {
            println!("fault: to {format:?}: {fault}");
        }
        println!("cost: {milliseconds} {}", peak_kib());
    }
    println!("done");
}

/// What a child process said of its file.
#[derive(Default)]
struct Verdict {
    faults: Vec<String>,
    milliseconds: u64,
    kib: u64,
}

/// One file in a process of its own: its memory is then its own, and a crash is one fault among others.
fn ask(entry: &Entry) -> Verdict {
    let output = alone(module_path!(), NAME)
        .env(ONE_FILE, &entry.path)
        .output()
        .expect("it can be started again");
    let mut verdict = Verdict::default();
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines() {
        if let Some(fault) = line.strip_prefix("fault: ") {
            verdict.faults.push(fault.to_owned());
        }
        if let Some((milliseconds, kib)) = line
            .strip_prefix("cost: ")
            .and_then(|cost| cost.split_once(' '))
        {
            let number = |text: &str| text.parse().expect("a number");
            verdict.milliseconds = verdict.milliseconds.max(number(milliseconds));
            verdict.kib = number(kib);
        }
    }
    if !output.status.success() || !text.lines().any(|line| line == "done") {
        let said = String::from_utf8_lossy(&output.stderr);
        let fault = format!("died, {}: {}", output.status, said.trim());
        verdict.faults.push(fault);
    }
    if verdict.kib > MAX_PEAK_KIB {
        let mib = verdict.kib >> 10;
        verdict.faults.push(format!("{mib} MiB at its peak"));
    }
    verdict
}

#[test]
fn every_file_is_treated_as_the_manifest_says() {
    let Some(root) = corpus() else { return };
    let manifest = fs::read_to_string(root.join("manifest.csv")).expect("a readable manifest");
    let mut entries = entries(&manifest);
    assert!(
        entries.len() > 1000,
        "the manifest lists {} files",
        entries.len()
    );
    if let Ok(path) = std::env::var(ONE_FILE) {
        let entry = entries.iter().find(|entry| entry.path == path);
        return child(&root, entry.expect("a file of the manifest"));
    }
    if !whole() {
        spread(&mut entries);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut verdicts = Vec::new();
        while let Some(entry) = entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            verdicts.push((entry, ask(entry)));
        }
        verdicts
    };
    let threads = std::thread::available_parallelism().map_or(1, Into::into);
    let verdicts: Vec<(&Entry, Verdict)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let verdicts = workers.into_iter().map(|worker| worker.join());
        verdicts
            .flat_map(|of_one| of_one.expect("no panic"))
            .collect()
    });
    let count = |expected: &str| {
        let found = entries.iter().filter(|entry| entry.expected == expected);
        found.count()
    };
    println!(
        "{} files to accept, {} to refuse, {} either",
        count("accept"),
        count("refuse"),
        count("either")
    );
    let by = |cost: fn(&Verdict) -> u64| {
        let dearest = verdicts.iter().max_by_key(|(_, verdict)| cost(verdict));
        dearest.map_or((0, ""), |(entry, verdict)| (cost(verdict), &entry.path))
    };
    let (milliseconds, slowest) = by(|verdict| verdict.milliseconds);
    println!("at most {milliseconds} ms of CPU: {slowest}");
    let (kib, largest) = by(|verdict| verdict.kib);
    println!("at most {} MiB at its peak: {largest}", kib >> 10);
    assert_eq!(verdicts.len(), entries.len());
    let faults: Vec<String> = verdicts
        .iter()
        .flat_map(|(entry, verdict)| {
            let faults = verdict.faults.iter();
            faults.map(|fault| format!("{}: {fault}", entry.path))
        })
        .collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
