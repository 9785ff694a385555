//! Huffman codes as a DHT segment gives them (ITU-T T.81, B.2.4.2 and annex C).

use super::{error::Error, segments::Fields};

/// A prefix code of at most 256 symbols, none longer than 16 bits.
#[derive(Clone)]
pub(super) struct Code {
    /// How many codes there are of each length, 1 to 16.
    counts: [u8; 16],
    /// The symbols in the order of their codes.
    symbols: [u8; 256],
}

impl Code {
    /// Reads the counts and the symbols of one table.
    pub fn parse(fields: &mut Fields<'_>) -> Result<Self, Error> {
        let counts: [u8; 16] = fields.array()?;
        let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
        // Codes are given out in order of length (figure C.2): those of a length must fit in it.
        let mut next = 0u32;
        for (length, &count) in (1..).zip(&counts) {
            next += u32::from(count);
            if next > 1 << length {
                return Err(Error::Damaged("a Huffman table has more codes than fit"));
            }
            next <<= 1;
        }
        let mut symbols = [0; 256];
        match symbols.get_mut(..total) {
            Some(symbols) => symbols.copy_from_slice(fields.bytes(total)?),
            None => return Err(Error::Damaged("a Huffman table has more than 256 codes")),
        }
        Ok(Self { counts, symbols })
    }

    /// Whether other decoders take it: no code consists of ones alone (C.2), and every symbol means something
    /// with 8-bit samples (F.1.2.1, F.1.2.2 and G.1.2.2).
    pub fn is_plain(&self, is_dc: bool) -> bool {
        let used: u32 = (1..)
            .zip(&self.counts)
            .map(|(length, &count)| u32::from(count) << (16 - length))
            .sum();
        let total = self.counts.iter().map(|&count| usize::from(count)).sum();
        let symbols = self.symbols.get(..total).unwrap_or_default();
        let most = if is_dc { 11 } else { 0xFA };
        used < 1 << 16
            && symbols
                .iter()
                .all(|&symbol| symbol <= most && symbol & 15 <= 11 - u8::from(!is_dc))
    }

    /// The length and the symbol of the code that `bits` begins with; the first bit is the highest of 16.
    pub fn find(&self, bits: u16) -> Option<(u32, u8)> {
        let (mut first, mut index) = (0u32, 0u32);
        for (length, &count) in (1..).zip(&self.counts) {
            let code = u32::from(bits) >> (16 - length);
            if code < first + u32::from(count) {
                let symbol = self.symbols.get((index + code - first) as usize)?;
                return Some((length, *symbol));
            }
            first = (first + u32::from(count)) << 1;
            index += u32::from(count);
        }
        None
    }

    /// For each value of the next `bits` bits, `length << 8 | symbol` of the code it begins with; 0 where
    /// that code is longer, or there is none.
    pub fn table(&self, bits: u32) -> Vec<u16> {
        let mut table = Vec::with_capacity(1 << bits);
        let mut symbols = self.symbols.iter();
        for (length, &count) in (1..=bits).zip(&self.counts) {
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                let entry = (length as u16) << 8 | u16::from(symbol);
                table.resize(table.len() + (1 << (bits - length)), entry);
            }
        }
        table.resize(1 << bits, 0);
        table
    }
}

/// The value of `size` further bits (T.81, F.2.2.1, EXTEND): the upper half of them is positive.
#[inline(always)]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    let half = (1i32 << size) >> 1;
    let value = bits as i32;
    if value < half {
        value - 2 * half + 1
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T.81, table K.3: the lengths and symbols of the luminance DC table.
    const K3: [u8; 28] = [
        0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
    ];

    #[test]
    fn codes_are_those_of_table_k3() {
        let code = Code::parse(&mut Fields(&K3)).expect("a valid table");
        let published = [
            "00",
            "010",
            "011",
            "100",
            "101",
            "110",
            "1110",
            "11110",
            "111110",
            "1111110",
            "11111110",
            "111111110",
        ];
        let table = code.table(8);
        for (symbol, word) in (0u8..).zip(published) {
            let value = u16::from_str_radix(word, 2).expect("binary");
            let bits = value << (16 - word.len());
            assert_eq!(code.find(bits), Some((word.len() as u32, symbol)));
            let expected = if word.len() > 8 {
                0
            } else {
                (word.len() as u16) << 8 | u16::from(symbol)
            };
            assert_eq!(table[usize::from(bits >> 8)], expected);
        }
        assert_eq!(code.find(0xFFFF), None);
    }

    #[test]
    fn impossible_tables_are_refused() {
        let mut three_of_one_bit = K3;
        three_of_one_bit[0] = 3;
        assert!(Code::parse(&mut Fields(&three_of_one_bit)).is_err());
        assert!(
            Code::parse(&mut Fields(&K3[..27])).is_err(),
            "a symbol is missing"
        );
    }

    #[test]
    fn extend_follows_table_f1() {
        // T.81, table F.1: size 3 is -7..=-4 and 4..=7.
        let values: Vec<i32> = (0..8).map(|bits| extend(bits, 3)).collect();
        assert_eq!(values, [-7, -6, -5, -4, 4, 5, 6, 7]);
        assert_eq!(extend(0, 0), 0);
    }
}
