//! Every file of the shared corpus through the optimizer: `accept` gives a picture of the expected size that
//! another decoder opens, `refuse` a typed error, nothing panics, is slow, large in memory or lets a canary
//! through.
//!
//! `cargo test --release --test corpus`; the corpus is `$LABLINK_CORPUS` or `../shared/corpus`.

use std::fs;
use std::io::Cursor;
use std::panic::catch_unwind;
use std::path::PathBuf;

use lablink_storage::{ImageFormat, OptimizeOptions, OptimizedImage, OutputFormat, optimize};
use zune_jpeg::zune_core::bytestream::ZCursor;

const CANARY: &[u8] = b"CANARY_8c5e682bb2a1";
const MAX_CPU_MS: u64 = 1000;
const MAX_PEAK_KIB: u64 = 300 << 10;

fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("LABLINK_CORPUS").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let root = named.unwrap_or(beside);
    if root.join("manifest.csv").is_file() {
        return Some(root);
    }
    eprintln!(
        "skipped: no corpus at {} (set LABLINK_CORPUS)",
        root.display()
    );
    None
}

struct Entry {
    path: String,
    expected: String,
    fitted: Option<(u32, u32)>,
}

fn entries(manifest: &str) -> Vec<Entry> {
    let mut lines = manifest.lines().map(fields);
    let header = lines.next().expect("a header line");
    let column = |name: &str| {
        let found = header.iter().position(|field| field == name);
        found.unwrap_or_else(|| panic!("no column {name}"))
    };
    let (path, expected) = (column("path"), column("expected"));
    let (width, height) = (column("fit1200_w"), column("fit1200_h"));
    lines
        .map(|line| Entry {
            path: line[path].clone(),
            expected: line[expected].clone(),
            fitted: line[width].parse().ok().zip(line[height].parse().ok()),
        })
        .collect()
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

/// Nanoseconds that this thread has spent on a CPU.
fn cpu_ns() -> u64 {
    let text =
        fs::read_to_string("/proc/thread-self/schedstat").expect("Linux scheduler statistics");
    text.split(' ')
        .next()
        .and_then(|ns| ns.parse().ok())
        .expect("a number")
}

/// Peak resident memory in KiB since the last reset.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("process status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let value = line.and_then(|line| line.trim().strip_suffix(" kB"));
    value.and_then(|kib| kib.parse().ok()).expect("a number")
}

fn reset_peak() {
    // proc(5): 5 resets the peak resident set size.
    fs::write("/proc/self/clear_refs", "5").expect("a writable clear_refs");
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

/// What is wrong with how one file was treated.
fn judge(entry: &Entry, bytes: &[u8], format: OutputFormat) -> Vec<String> {
    let options = OptimizeOptions::default().with_format(format);
    reset_peak();
    let before = peak_kib();
    let started = cpu_ns();
    let result = catch_unwind(|| optimize(bytes, &options));
    let milliseconds = (cpu_ns() - started) / 1_000_000;
    let kib = peak_kib() - before;
    let mut faults = Vec::new();
    if milliseconds > MAX_CPU_MS {
        faults.push(format!("{milliseconds} ms of CPU"));
    }
    if kib > MAX_PEAK_KIB {
        faults.push(format!("{} MiB at its peak", kib >> 10));
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
    faults
}

#[test]
fn every_file_is_treated_as_the_manifest_says() {
    let Some(root) = corpus() else { return };
    let manifest = fs::read_to_string(root.join("manifest.csv")).expect("a readable manifest");
    let entries = entries(&manifest);
    let mut faults = Vec::new();
    let mut counts = [0; 3];
    for entry in &entries {
        let bytes = fs::read(root.join(&entry.path)).expect("a readable file");
        let formats = match entry.expected.as_str() {
            "accept" => {
                counts[0] += 1;
                &[OutputFormat::Jpeg, OutputFormat::Png, OutputFormat::WebP][..]
            }
            "refuse" => {
                counts[1] += 1;
                &[OutputFormat::Jpeg][..]
            }
            _ => {
                counts[2] += 1;
                &[OutputFormat::Jpeg, OutputFormat::Auto][..]
            }
        };
        let formats = formats
            .iter()
            .filter(|&&format| cfg!(feature = "webp") || format != OutputFormat::WebP);
        for &format in formats {
            for fault in judge(entry, &bytes, format) {
                faults.push(format!("{} to {format:?}: {fault}", entry.path));
            }
        }
    }
    println!(
        "{} files to accept, {} to refuse, {} either",
        counts[0], counts[1], counts[2]
    );
    assert!(
        entries.len() > 1000,
        "the manifest lists {} files",
        entries.len()
    );
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}
