//! Samples of whatever size as bytes.

/// How a sample is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SampleType {
    /// An unsigned number of 1 to 16, or 32, bits; below 8 and in between one follows the other without gaps.
    Bits(u8),
    /// The same, of 1 to 8 bits, which is an index and not a shade.
    Index(u8),
    /// A floating-point number of 32 bits, 1 being white.
    Float,
}

/// The first `count` samples of a row as bytes.
pub(super) fn to_bytes(row: &[u8], kind: SampleType, count: usize, bytes: &mut Vec<u8>) {
    bytes.clear();
    match kind {
        SampleType::Bits(8) | SampleType::Index(8) => {
            bytes.extend_from_slice(&row[..count.min(row.len())])
        }
        SampleType::Bits(16) => {
            let (samples, _) = row.as_chunks::<2>();
            let samples = samples
                .iter()
                .take(count)
                .map(|&sample| u16::from_ne_bytes(sample));
            bytes.extend(samples.map(|sample| scaled(sample.into(), 0xffff)));
        }
        SampleType::Bits(32) => {
            let (samples, _) = row.as_chunks::<4>();
            let samples = samples
                .iter()
                .take(count)
                .map(|&sample| u32::from_ne_bytes(sample));
            bytes.extend(samples.map(|sample| (sample >> 24) as u8));
        }
        SampleType::Float => {
            let (samples, _) = row.as_chunks::<4>();
            let samples = samples
                .iter()
                .take(count)
                .map(|&sample| f32::from_ne_bytes(sample));
            bytes.extend(samples.map(|sample| (sample.clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
        }
        SampleType::Bits(bits) => {
            let most = (1 << bits) - 1;
            bytes.extend(
                packed(row, bits)
                    .take(count)
                    .map(|sample| scaled(sample, most)),
            );
        }
        SampleType::Index(bits) => {
            bytes.extend(packed(row, bits).take(count).map(|sample| sample as u8))
        }
    }
    bytes.resize(count, 0);
}

fn scaled(sample: u32, most: u32) -> u8 {
    ((sample * 255 + most / 2) / most) as u8
}

/// Numbers that follow each other, the highest bit first.
fn packed(row: &[u8], bits: u8) -> impl Iterator<Item = u32> + '_ {
    let bits = usize::from(bits.clamp(1, 16));
    (0..row.len() * 8 / bits).map(move |index| {
        let first = index * bits;
        let bytes = (0..3).map(|byte| row.get(first / 8 + byte).copied().unwrap_or(0));
        let window = bytes.fold(0u32, |sum, byte| sum << 8 | u32::from(byte));
        (window >> (24 - first % 8 - bits)) & ((1 << bits) - 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(row: &[u8], kind: SampleType, count: usize) -> Vec<u8> {
        let mut made = Vec::new();
        to_bytes(row, kind, count, &mut made);
        made
    }

    #[test]
    fn every_size_goes_from_black_to_white() {
        assert_eq!(
            bytes(&[0b1010_0000], SampleType::Bits(1), 4),
            [255, 0, 255, 0]
        );
        assert_eq!(
            bytes(&[0b0001_1011], SampleType::Bits(2), 4),
            [0, 85, 170, 255]
        );
        assert_eq!(bytes(&[0x0f, 0x80], SampleType::Bits(4), 3), [0, 255, 136]);
        assert_eq!(bytes(&[0x0f, 0x80], SampleType::Index(4), 3), [0, 15, 8]);
        assert_eq!(bytes(&[1, 2, 3], SampleType::Bits(8), 2), [1, 2]);
        assert_eq!(
            bytes(&[0x00, 0x0f, 0xff], SampleType::Bits(12), 2),
            [0, 255]
        );
        let words: Vec<u8> = [0u16, 0x8000, 0xffff]
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        assert_eq!(bytes(&words, SampleType::Bits(16), 3), [0, 128, 255]);
        let floats: Vec<u8> = [-1.0f32, 0.5, 9.0]
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect();
        assert_eq!(bytes(&floats, SampleType::Float, 3), [0, 128, 255]);
        // A row that is too short is black where it ends.
        assert_eq!(bytes(&[255], SampleType::Bits(8), 3), [255, 0, 0]);
    }
}
