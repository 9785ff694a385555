//! Marker segments and entropy-coded bits (ITU-T T.81, annex B).

use super::{
    super::{geometry::ZIGZAG, segments},
    Coefficients, EncodeError,
    huffman::{Code, Codes},
    tokens::{AC, DC, TABLES, Token, Tokens},
};

/// What a scan header says (B.2.3).
pub(super) struct ScanHeader<'a> {
    /// Places among the components.
    pub components: &'a [usize],
    pub band: (u8, u8),
    pub high: u8,
    pub low: u8,
}

/// A file being written.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Begins a file: all that stands before the first scan.
    pub fn new(
        coefficients: &Coefficients,
        progressive: bool,
        segments: &[(u8, &[u8])],
    ) -> Result<Self, EncodeError> {
        let mut writer = Self {
            bytes: vec![0xFF, segments::SOI],
        };
        // JFIF 1.02 (ITU-T T.871, 10.1): square pixels, no thumbnail.
        writer.segment(segments::APP0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
        for &(number, body) in segments {
            if number > 15 || body.len() > 65533 {
                return Err(EncodeError::Segment);
            }
            writer.segment(segments::APP0 + number, body);
        }
        let tables = if coefficients.components.len() > 1 {
            2
        } else {
            1
        };
        for (destination, table) in (0u8..).zip(coefficients.quantization.iter().take(tables)) {
            let values = ZIGZAG
                .iter()
                .map(|&natural| table.values()[usize::from(natural)]);
            let body: Vec<u8> = [destination].into_iter().chain(values).collect();
            writer.segment(segments::DQT, &body);
        }
        let marker = if progressive {
            segments::SOF2
        } else {
            segments::SOF0
        };
        let mut body = vec![8];
        body.extend(coefficients.height.to_be_bytes());
        body.extend(coefficients.width.to_be_bytes());
        body.push(coefficients.components.len() as u8);
        for (id, component) in (1..).zip(&coefficients.components) {
            let sampling = component.horizontal << 4 | component.vertical;
            body.extend([id, sampling as u8, component.table as u8]);
        }
        writer.segment(marker, &body);
        Ok(writer)
    }

    /// Writes a scan: codes made for its tokens, its header, and its bits.
    pub fn scan(&mut self, coefficients: &Coefficients, header: &ScanHeader<'_>, tokens: &Tokens) {
        let mut codes = Codes::new();
        for table in 0..TABLES {
            let Some(code) = Code::new(tokens.counts(table)) else {
                continue;
            };
            codes.set(table, &code);
            // Class 1 is AC.
            let class = if table < AC {
                table - DC
            } else {
                0x10 | (table - AC)
            };
            let body: Vec<u8> = [class as u8]
                .into_iter()
                .chain(code.counts)
                .chain(code.symbols)
                .collect();
            self.segment(segments::DHT, &body);
        }
        let mut body = vec![header.components.len() as u8];
        for &index in header.components {
            let table = coefficients
                .components
                .get(index)
                .map_or(0, |component| component.table);
            body.extend([index as u8 + 1, (table << 4 | table) as u8]);
        }
        body.extend([header.band.0, header.band.1, header.high << 4 | header.low]);
        self.segment(segments::SOS, &body);
        self.entropy(tokens.list(), &codes);
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend([0xFF, segments::EOI]);
        self.bytes
    }

    fn segment(&mut self, marker: u8, body: &[u8]) {
        let length = (body.len() + 2) as u16;
        self.bytes.extend([0xFF, marker]);
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(body);
    }

    /// The codes and bits of the tokens, with stuffing (F.1.2.3), filled up with ones.
    fn entropy(&mut self, tokens: &[Token], codes: &Codes) {
        // The lowest `count` bits are still to be written.
        let (mut bits, mut count) = (0u64, 0);
        self.bytes.reserve(tokens.len());
        for token in tokens {
            let (code, length) = codes.get(token.symbol());
            let (more, value) = token.bits();
            // 16 bits of code and 15 more at most, behind at most 31.
            bits = bits << (length + more) | u64::from(code << more | value);
            count += length + more;
            if count >= 32 {
                count -= 32;
                self.word((bits >> count) as u32);
            }
        }
        let fill = (8 - count % 8) % 8;
        bits = bits << fill | ((1 << fill) - 1);
        for index in (0..(count + fill) / 8).rev() {
            self.byte((bits >> (8 * index)) as u8);
        }
    }

    #[inline(always)]
    fn word(&mut self, word: u32) {
        // Whether one of the bytes is 0xFF: a zero byte in the complement.
        let inverse = !word;
        if inverse.wrapping_sub(0x0101_0101) & word & 0x8080_8080 == 0 {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        } else {
            word.to_be_bytes()
                .into_iter()
                .for_each(|byte| self.byte(byte));
        }
    }

    #[inline(always)]
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_stuffed_and_filled_up() {
        let mut tokens = Tokens::default();
        for (count, bits) in [(8, 0xFF), (15, 0x7FFF), (9, 0x1FF), (4, 0), (1, 1)] {
            tokens.push_bits(count, bits);
        }
        let mut writer = Writer { bytes: Vec::new() };
        writer.entropy(tokens.list(), &Codes::new());
        // 32 ones, four zeros, a one, and three ones to fill up.
        assert_eq!(writer.bytes, [0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0x0F]);
    }
}
