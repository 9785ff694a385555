//! The result for given bytes and options is the same on every thread, beside any others, and in every
//! process (a hash map, for one, has another order in each).

use std::hash::{DefaultHasher, Hash, Hasher};

use lablink_storage::{Fit, OptimizeOptions, OutputFormat, optimize};

use super::{files, fixture, lossless, noise, paint, png, run, to};

/// Told to a child process, which then only prints what it got.
const CHILD: &str = "LABLINK_DETERMINISM_CHILD";
const NAME: &str = "every_thread_and_every_process_gives_the_same_bytes";

fn inputs() -> Vec<Vec<u8>> {
    let palette = paint(120, 90, |x, y| {
        let alpha = if x < 20 { 0 } else { 255 - (y % 3) as u8 };
        [(x % 7) as u8 * 30, (y % 11) as u8 * 20, 77, alpha]
    });
    let mut inputs = vec![
        png(120, 90, png::ColorType::Rgb, &noise(120, 90)),
        png(120, 90, png::ColorType::Rgba, &palette),
        fixture("jpeg/cmyk.jpg"),
        fixture("jpeg/420_restart.jpg"),
        fixture("jpeg/420_progressive.jpg"),
    ];
    let seeds = files("fuzz/seeds").into_iter();
    inputs.extend(seeds.map(|path| std::fs::read(path).expect("a readable file")));
    inputs
}

fn options() -> Vec<OptimizeOptions> {
    vec![
        to(OutputFormat::Jpeg),
        to(OutputFormat::Jpeg)
            .with_progressive(true)
            .with_max_size(50, 50),
        lossless(),
        lossless().with_max_size(40, 30).with_fit(Fit::Cover),
        to(OutputFormat::WebP).with_max_size(60, 60),
        to(OutputFormat::WebP).with_lossless(true),
        to(OutputFormat::Auto)
            .with_max_size(33, 33)
            .with_fit(Fit::Contain),
    ]
}

/// One number for all that `optimize` gives for each input and option.
fn digests(inputs: &[Vec<u8>]) -> Vec<u64> {
    let options = options();
    let pairs = inputs
        .iter()
        .flat_map(|bytes| options.iter().map(move |one| (bytes, one)));
    pairs
        .map(|(bytes, options)| {
            let mut hasher = DefaultHasher::new();
            match optimize(bytes, options) {
                Ok(image) => (image.data.to_vec(), image.placeholder).hash(&mut hasher),
                Err(error) => error.to_string().hash(&mut hasher),
            }
            hasher.finish()
        })
        .collect()
}

#[test]
fn every_thread_and_every_process_gives_the_same_bytes() {
    let inputs = inputs();
    let expected = digests(&inputs);
    let line = format!("digests {expected:?}");
    if std::env::var_os(CHILD).is_some() {
        return println!("{line}");
    }
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| digests(&inputs))).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), expected);
        }
    });
    for _ in 0..2 {
        let output = crate::common::alone(module_path!(), NAME)
            .env(CHILD, "1")
            .output()
            .expect("it can be started again");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.lines().any(|found| found == line), "{text}");
    }
    assert!(run(&inputs[0], &options()[0]).data.len() > 1000);
}
