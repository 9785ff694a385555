//! Every sample at every N/8 is the ideal one, rounded: the frequencies below N, in double precision.

use lablink_storage::optimize::jpeg::{DecodeLimits, decode};

use super::{fixtures, full_size, reference};

/// How far a sample may be from the ideal before rounding: what rounding takes, and float arithmetic.
const APART: f64 = 0.51;

/// Compares the planes at `n`/8 in every block that `chosen` picks; returns how many samples.
pub fn compare(
    name: &str,
    data: &[u8],
    ideal: &[reference::Component],
    n: usize,
    every: usize,
) -> u64 {
    let planes = decode(data, &DecodeLimits::default(), &|_, _, _| n).expect("decoded before");
    assert_eq!(planes.planes.len(), ideal.len());
    let basis = reference::Basis::new(n);
    let mut samples = 0;
    for (index, (plane, component)) in planes.planes.iter().zip(ideal).enumerate() {
        assert_eq!(plane.eighths, n);
        let blocks_across = plane.width.div_ceil(n);
        for y in 0..plane.height {
            for (x, &sample) in plane.row(y).iter().enumerate() {
                if !(y / n * blocks_across + x / n).is_multiple_of(every) {
                    continue;
                }
                let expected = component.ideal(&basis, x, y);
                assert!(
                    (f64::from(sample) - expected).abs() < APART,
                    "{name} at {n}/8, component {index} at {x}, {y}: {sample} for {expected}"
                );
                samples += 1;
            }
        }
    }
    samples
}

#[test]
fn every_sample_is_the_ideal_one_at_every_scale() {
    let mut taken = 0;
    for (name, data) in fixtures() {
        if full_size(&data).is_err() {
            continue;
        }
        taken += 1;
        let ideal = reference::decode(&data);
        for n in 1..=8 {
            compare(&name, &data, &ideal, n, 1);
        }
    }
    assert_eq!(taken, 15, "every file");
}

#[test]
fn each_component_has_its_own_scale() {
    let data = super::fixture("420_progressive.jpg");
    let asked = |index: usize, width: f64, height: f64| {
        let expected = if index == 0 {
            (83.0, 61.0)
        } else {
            (41.5, 30.5)
        };
        assert_eq!((width, height), expected);
        [3, 6, 100][index]
    };
    let planes = decode(&data, &DecodeLimits::default(), &asked)
        .expect("a valid file")
        .planes;
    let sizes: Vec<_> = planes
        .iter()
        .map(|plane| (plane.eighths, plane.width, plane.height))
        .collect();
    // 83 * 3 / 8 = 31.125 and 61 * 3 / 8 = 22.875; 41.5 * 6 / 8 = 31.125; and so on, rounded up.
    assert_eq!(sizes, [(3, 32, 23), (6, 32, 23), (8, 42, 31)]);
    assert_eq!(
        (planes[0].exact_width, planes[0].exact_height),
        (31.125, 22.875)
    );
}
