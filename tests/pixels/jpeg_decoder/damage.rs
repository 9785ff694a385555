//! Truncated and mutated files: an error or an image, never a panic, and never more than was allowed.

use lablink_storage::optimize::jpeg::{DecodeLimits, Error, decode, read_header};

use super::{fixture, fixtures, full_size};

#[test]
fn a_truncated_file_is_refused_wherever_it_was_cut() {
    for (name, data) in fixtures() {
        let Ok(whole) = full_size(&data) else {
            continue;
        };
        // Without its EOI marker alone, the image is all there.
        assert_eq!(
            full_size(&data[..data.len() - 2]).as_ref(),
            Ok(&whole),
            "{name}"
        );
        // Unoptimized, some of the places.
        let step = if cfg!(debug_assertions) { 29 } else { 1 };
        for end in (0..data.len() - 3).step_by(step) {
            let error = full_size(&data[..end]).err();
            let expected = if end < 2 {
                Error::Damaged("no SOI marker at the beginning")
            } else {
                Error::Truncated
            };
            assert_eq!(
                error,
                Some(expected),
                "{name} cut at {end} of {}",
                data.len()
            );
        }
    }
}

#[test]
fn what_decoded_of_a_truncated_file_is_there_if_asked_for() {
    let mut limits = DecodeLimits::default();
    limits.accept_truncated = true;
    let data = fixture("420_restart.jpg");
    let whole = full_size(&data).expect("a valid file");
    let half = decode(&data[..data.len() * 3 / 4], &limits, &|_, _, _| 8).expect("half an image");
    assert!(half.truncated && !whole.truncated);
    for (part, plane) in half.planes.iter().zip(&whole.planes) {
        assert_eq!(part.row(0), plane.row(0));
        assert_eq!(
            part.row(part.height - 1),
            vec![128; part.width],
            "grey below"
        );
    }
    // A progressive file is coarse instead.
    let data = fixture("420_progressive.jpg");
    let whole = full_size(&data).expect("a valid file");
    let coarse =
        decode(&data[..data.len() * 3 / 4], &limits, &|_, _, _| 8).expect("a coarse image");
    assert!(coarse.truncated && coarse.planes != whole.planes);
    let pairs = || coarse.planes[0].data.iter().zip(&whole.planes[0].data);
    let apart: u64 = pairs().map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(apart / (pairs().count() as u64) < 8, "{apart}");
    // Nothing of the image is there.
    let scan = data
        .windows(2)
        .position(|pair| pair == [0xFF, 0xDA])
        .expect("a scan");
    assert_eq!(
        decode(&data[..scan + 12], &limits, &|_, _, _| 8),
        Err(Error::Truncated)
    );
}

/// xorshift64: the same mutations in every run.
pub struct Random(u64);

impl Random {
    pub fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// Changes a few bytes, or takes out, doubles or moves a piece.
fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = data.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len());
        let end = (at + 1 + random.below(24)).min(data.len());
        match random.below(6) {
            0 => data[at] = random.below(256) as u8,
            1 => data[at] ^= 1 << random.below(8),
            2 => data[at..end].fill([0x00, 0xFF][random.below(2)]),
            3 => drop(data.drain(at..end)),
            4 => data.splice(at..at, data[at..end].to_vec()).for_each(drop),
            _ => {
                // Markers and headers are at the front.
                let front = random.below(data.len().min(640));
                data[front] = random.below(256) as u8;
            }
        }
        if data.len() < 4 {
            break;
        }
    }
    data
}

/// Damages the data of the scans in one place or two.
pub fn mutate_data(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = data.to_vec();
    let scan = data.windows(2).position(|pair| pair == [0xFF, 0xDA]);
    let first = scan.expect("a scan") + 14;
    for _ in 0..=random.below(2) {
        let at = first + random.below(data.len() - 2 - first);
        let end = (at + 1 + random.below(6)).min(data.len() - 2);
        match random.below(5) {
            0 => data[at] = random.below(256) as u8,
            1 => data[at] ^= 1 << random.below(8),
            2 => drop(data.drain(at..end)),
            3 => data.splice(at..at, [0x5A; 3]).for_each(drop),
            _ => data[at..end].fill(0),
        }
    }
    data
}

#[test]
fn no_mutation_makes_it_panic() {
    let full = std::env::var_os("LABLINK_TEST_FULL").is_some_and(|value| value == "1");
    // The most in release: the tests' own build takes a quarter of an hour for them.
    let rounds = match (full, cfg!(debug_assertions)) {
        (true, false) => 20_000,
        (false, false) | (true, true) => 1000,
        (false, true) => 60,
    };
    let mut limits = DecodeLimits::default();
    limits.max_pixels = 1 << 20;
    limits.max_bytes = 16 << 20;
    let mut random = Random::new();
    let (mut decoded, mut refused) = (0, 0);
    for (_, data) in fixtures() {
        for _ in 0..rounds {
            let mutated = mutate(&data, &mut random);
            limits.accept_truncated = random.below(2) == 0;
            let scale = 1 + random.below(8);
            drop(read_header(&mutated));
            match decode(&mutated, &limits, &|index, _, _| scale + index) {
                Ok(planes) => {
                    let bytes: usize = planes.planes.iter().map(|plane| plane.data.len()).sum();
                    assert!(bytes <= 16 << 20);
                    decoded += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(decoded > 0 && refused > 0);
}
