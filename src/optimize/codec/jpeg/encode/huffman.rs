//! Huffman codes made for what a scan has (ITU-T T.81, annex K.2).

use super::tokens::{Counts, TABLES};

/// The longest code that the format allows.
const MAX_LENGTH: usize = 16;

/// A code, as a DHT segment has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    /// How many codes there are of each length, 1 to 16.
    pub counts: [u8; MAX_LENGTH],
    /// The symbols in the order of their codes.
    pub symbols: Vec<u8>,
}

impl Code {
    /// The best code for these counts; `None` if all of them are zero.
    pub fn new(counts: &Counts) -> Option<Self> {
        let mut symbols: Vec<(u32, u8)> = (0..=255)
            .zip(&counts.0)
            .map(|(symbol, &count)| (count, symbol))
            .collect();
        symbols.retain(|&(count, _)| count > 0);
        if symbols.is_empty() {
            return None;
        }
        symbols.sort_unstable_by(|a, b| b.cmp(a));
        // One more symbol takes the code of all ones, which must not be used (K.2).
        let weights = symbols
            .iter()
            .map(|&(count, _)| u64::from(count))
            .chain([0]);
        let counts = limited(lengths(weights.rev().collect()));
        Some(Self {
            counts,
            symbols: symbols.into_iter().map(|(_, symbol)| symbol).collect(),
        })
    }
}

/// How many codes of each length Huffman's method gives these weights, which are in rising order.
///
/// Of the symbols and of the trees that were made, the two of least weight become a tree; trees are made
/// in rising order too, so two queues are enough.
fn lengths(weights: Vec<u64>) -> Vec<u32> {
    let leaves = weights.len();
    let mut weights = weights;
    let mut parents = vec![0; 2 * leaves - 1];
    let (mut leaf, mut tree) = (0, leaves);
    for node in leaves..2 * leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let take_leaf = leaf < leaves && (tree >= node || weights[leaf] <= weights[tree]);
            let least = if take_leaf { &mut leaf } else { &mut tree };
            parents[*least] = node;
            weight += weights[*least];
            *least += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0usize; 2 * leaves - 1];
    let mut counts = vec![0; leaves.max(MAX_LENGTH) + 1];
    for node in (0..2 * leaves - 2).rev() {
        depths[node] = depths[parents[node]] + 1;
        if node < leaves {
            counts[depths[node]] += 1;
        }
    }
    counts
}

/// Brings codes down to 16 bits (figure K.3), and takes out the one of all ones.
fn limited(mut counts: Vec<u32>) -> [u8; MAX_LENGTH] {
    for length in (MAX_LENGTH + 1..counts.len()).rev() {
        while counts[length] > 0 {
            // Two codes that differ in their last bit: one moves up, the other makes two of a shorter one.
            let shorter = (1..length - 1)
                .rev()
                .find(|&shorter| counts[shorter] > 0)
                .unwrap_or(1);
            counts[length] -= 2;
            counts[length - 1] += 1;
            counts[shorter + 1] += 2;
            counts[shorter] -= 1;
        }
    }
    if let Some(longest) = counts.iter_mut().rev().find(|count| **count > 0) {
        *longest -= 1;
    }
    std::array::from_fn(|index| counts[index + 1] as u8)
}

/// The codes of all symbols of all tables: `code << 8 | length`, and 0 for those that have none.
pub(super) struct Codes([u32; 2048]);

impl Codes {
    pub fn new() -> Self {
        Self([0; 2048])
    }

    /// Gives out the codes in order (T.81, annex C).
    pub fn set(&mut self, table: usize, code: &Code) {
        let mut symbols = code.symbols.iter();
        let mut next = 0;
        for (length, &count) in (1..).zip(&code.counts) {
            for &symbol in symbols.by_ref().take(count.into()) {
                self.0[table % TABLES * 256 + usize::from(symbol)] = next << 8 | length;
                next += 1;
            }
            next <<= 1;
        }
    }

    /// Code and length.
    #[inline(always)]
    pub fn get(&self, index: usize) -> (u32, u32) {
        let entry = self.0[index % 2048];
        (entry >> 8, entry & 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(weights: &[u32]) -> Code {
        let mut counts = Counts::default();
        counts.0[..weights.len()].copy_from_slice(weights);
        Code::new(&counts).expect("there are symbols")
    }

    #[test]
    fn the_total_is_huffmans() {
        // With the reserved symbol of weight 0: lengths 1, 2, 3, 4, 4 (reserved), or as short in total.
        let code = code(&[45, 13, 12, 5]);
        assert_eq!(code.counts[..5], [1, 1, 1, 1, 0]);
        assert_eq!(code.symbols, [0, 1, 2, 3]);
        assert_eq!(
            self::code(&[0, 7]).counts[0],
            1,
            "a single symbol has a code of one bit"
        );
    }

    #[test]
    fn no_code_is_longer_than_sixteen_bits_nor_all_ones() {
        // Fibonacci weights make the deepest tree.
        let mut weights = vec![1, 1];
        while weights.len() < 40 {
            weights.push(weights[weights.len() - 1] + weights[weights.len() - 2]);
        }
        let code = code(&weights);
        assert_eq!(
            code.counts
                .iter()
                .map(|&count| u32::from(count))
                .sum::<u32>(),
            40
        );
        let used: u32 = (1..)
            .zip(&code.counts)
            .map(|(length, &count)| u32::from(count) << (16 - length))
            .sum();
        assert!(used < 1 << 16, "the code of all ones is free");
        assert!(code.counts[15] > 0);
        assert_eq!(
            code.symbols[0], 39,
            "the most frequent symbol has the shortest code"
        );
    }
}
