//! What a scan writes, symbol by symbol, before the codes of the symbols are known.

/// Tables of codes: DC and AC ones of luma and chroma.
pub(super) const TABLES: usize = 4;
pub(super) const DC: usize = 0;
pub(super) const AC: usize = 2;

/// A symbol and the bits that follow it:
///
/// | bits | |
/// |---|---|
/// | 0..16 | the bits |
/// | 16..24 | symbol |
/// | 24..27 | table; [`RAW`] has a code of no bits for every symbol |
/// | 28..32 | how many bits follow |
#[derive(Debug, Clone, Copy)]
pub(super) struct Token(u32);

/// Bits without a symbol.
const RAW: u32 = TABLES as u32;

impl Token {
    #[inline(always)]
    fn new(table: u32, symbol: u32, count: u32, bits: u32) -> Self {
        Self(bits & ((1 << count) - 1) | symbol << 16 | table << 24 | count << 28)
    }

    /// Where the code of the symbol is in [`Codes`](super::huffman::Codes).
    #[inline(always)]
    pub fn symbol(self) -> usize {
        (self.0 >> 16) as usize & 0x7FF
    }

    #[inline(always)]
    pub fn bits(self) -> (u32, u32) {
        (self.0 >> 28, self.0 & 0xFFFF)
    }
}

/// Bits of each value: without the instructions of newer processors, counting zeros takes several steps.
static SIZES: [u8; 2048] = {
    let mut sizes = [0; 2048];
    let mut value = 1;
    while value < sizes.len() {
        sizes[value] = value.ilog2() as u8 + 1;
        value += 1;
    }
    sizes
};

/// More tokens than a block can have.
const BLOCK: usize = 80;

/// The tokens of a scan, and how often each symbol of each table is among them.
#[derive(Default)]
pub(super) struct Tokens {
    list: Vec<Token>,
    counts: [Counts; TABLES],
}

/// How often each symbol comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts(pub [u32; 256]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl Tokens {
    /// Room for so many: a list that grows is copied, and leaves holes in the memory.
    pub fn with_capacity(symbols: usize) -> Self {
        Self {
            list: Vec::with_capacity(symbols + BLOCK),
            ..Self::default()
        }
    }

    pub fn list(&self) -> &[Token] {
        &self.list
    }

    pub fn counts(&self, table: usize) -> &Counts {
        &self.counts[table % TABLES]
    }

    pub fn clear(&mut self) {
        self.list.clear();
        self.counts = Default::default();
    }

    /// Makes room for a block.
    #[inline(always)]
    pub fn reserve(&mut self) {
        self.list.reserve(BLOCK);
    }

    /// A symbol, and the lowest `count` bits of `bits`.
    #[inline(always)]
    pub fn push(&mut self, table: usize, symbol: u32, count: u32, bits: u32) {
        self.counts[table % TABLES].0[symbol as usize % 256] += 1;
        self.list
            .push(Token::new(table as u32, symbol, count, bits));
    }

    /// A symbol for a value of at most 11 bits, and those bits (T.81, F.1.2.1 and F.1.2.2): the size is
    /// the symbol's lower half.
    #[inline(always)]
    pub fn push_value(&mut self, table: usize, run: u32, value: i32) {
        let size = u32::from(SIZES[value.unsigned_abs() as usize % SIZES.len()]);
        let bits = if value < 0 { value - 1 } else { value };
        self.push(table, run << 4 | size, size, bits as u32);
    }

    /// Up to 15 bits alone.
    #[inline(always)]
    pub fn push_bits(&mut self, count: u32, bits: u32) {
        self.list.push(Token::new(RAW, 0, count, bits));
    }
}
