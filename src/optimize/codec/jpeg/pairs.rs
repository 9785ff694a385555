//! A table that yields up to two coefficients for each look at the next twelve bits.
//!
//! It combines what T.81, F.2.2 does step by step: the code of a run and a size, the bits of the value,
//! and the same again if both fit. After a DC coefficient the second symbol is an AC one. Photographs
//! have about 1.4 symbols in twelve bits.

use super::{
    error::Error,
    header::{ScanComponent, Tables},
    huffman::{Code, extend},
    source::Source,
    symbols::Symbols,
};

/// Bits that are looked at.
pub(super) const LOOK: u32 = 12;
/// Tables that fit: four components, each with one that begins at DC and one that begins at AC.
const TABLES: usize = 8;
const ENTRIES: usize = TABLES << LOOK;
/// The largest size of a DC difference and of an AC coefficient with 8-bit samples (F.1.2.1, F.1.2.2).
const MAX_DC_SIZE: u32 = 11;
const MAX_AC_SIZE: u32 = 10;
/// Bits of the longest symbol with its value.
pub(super) const MAX_BITS: u32 = 16 + MAX_DC_SIZE;

/// What one look yields, in fields of one word: half the tables' hot entries fit in the nearest cache.
///
/// | bits | |
/// |---|---|
/// | 0..6 | bits to consume |
/// | 6 | 1 if the block ends there |
/// | 7..12 | advance from the last coefficient to the first of these |
/// | 12..18 | advance to the second, which is the first where there is one only |
/// | 18..24 | second value |
/// | 24..32 | first value |
///
/// Where that is not enough, the second advance is [`RARE`], which leaves every block, and
/// [`Pairs::rare`] takes a symbol alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look(u32);

/// If there are bits to consume, those of the value do not fit, and in place of the first value there are
/// the code's length and, in the higher four bits, the value's size. If there are none, the code does
/// not fit, there is none, or it means nothing here.
const RARE: u32 = 63;
/// Values that fit in their fields have at most as many bits.
const MAX_FIRST: u32 = 7;
const MAX_SECOND: u32 = 5;

impl Look {
    const NOTHING: Self = Self(RARE << 12);

    fn new(bits: u32, ends: bool, first: (u32, i32), second: (u32, i32)) -> Self {
        let values = (first.1 as u32 & 0xFF) << 24 | (second.1 as u32 & 0x3F) << 18;
        Self(bits | u32::from(ends) << 6 | first.0 << 7 | second.0 << 12 | values)
    }

    /// The bits to consume, modulo 64.
    #[inline(always)]
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether the block ends.
    #[inline(always)]
    pub fn ends(self) -> bool {
        self.0 & 1 << 6 != 0
    }

    #[inline(always)]
    pub fn first(self) -> (u32, i16) {
        ((self.0 >> 7) & 31, (self.0 as i32 >> 24) as i16)
    }

    #[inline(always)]
    pub fn second(self) -> (u32, i16) {
        ((self.0 >> 12) & 63, ((self.0 << 8) as i32 >> 26) as i16)
    }
}

/// A symbol that was taken on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Single {
    pub bits: u32,
    /// The coefficient, 0 to 63, and its value.
    pub index: u32,
    pub value: i16,
    /// Whether the block ends here.
    pub ends: bool,
}

/// The tables of one scan.
pub(super) struct Pairs<'t> {
    looks: Box<[Look; ENTRIES]>,
    /// The code that each table's first symbol comes from, and whether that is a DC one.
    codes: Vec<(&'t Code, bool)>,
    /// For each component of the scan, where its DC and its AC table begin.
    pub bases: Vec<(u16, u16)>,
}

impl<'t> Pairs<'t> {
    pub fn new(tables: &'t Tables, components: &[ScanComponent]) -> Result<Self, Error> {
        let mut looks = Vec::with_capacity(ENTRIES);
        let mut codes = Vec::new();
        let mut made: Vec<(Option<usize>, usize)> = Vec::new();
        let mut bases = Vec::new();
        for component in components {
            let ac_code = tables.ac_code(component.ac_table)?;
            let dc_code = tables.dc_code(component.dc_table)?;
            let mut base_of = |dc_table: Option<usize>| {
                let key = (dc_table, component.ac_table);
                let index = made
                    .iter()
                    .position(|&other| other == key)
                    .unwrap_or_else(|| {
                        let first = if dc_table.is_some() { dc_code } else { ac_code };
                        let (after, begin) = (ac_code.table(LOOK), first.table(LOOK));
                        looks.extend(
                            (0..1 << LOOK)
                                .map(|bits| look(bits, &begin, &after, dc_table.is_some())),
                        );
                        codes.push((first, dc_table.is_some()));
                        made.push(key);
                        made.len() - 1
                    });
                (index << LOOK) as u16
            };
            bases.push((base_of(Some(component.dc_table)), base_of(None)));
        }
        looks.resize(ENTRIES, Look::NOTHING);
        let looks = looks.into_boxed_slice().try_into();
        let looks = looks.map_err(|_| Error::Damaged("a scan of more than four components"))?;
        Ok(Self {
            looks,
            codes,
            bases,
        })
    }

    /// The DC and the AC code of each component of the scan.
    pub fn component_codes(&self) -> impl Iterator<Item = (&'t Code, &'t Code)> {
        let code = |base: u16| Some(self.codes.get(usize::from(base) >> LOOK)?.0);
        self.bases
            .iter()
            .filter_map(move |&(dc, ac)| Some((code(dc)?, code(ac)?)))
    }

    /// The entry for the highest bits of `next` in the table at `base`.
    #[inline(always)]
    pub fn look(&self, base: u32, next: u64) -> Look {
        let index = (base | (next >> (64 - LOOK)) as u32) as usize;
        self.looks[index & (ENTRIES - 1)]
    }

    /// Takes one symbol where the look yields none, or would go past the last coefficient; `after` is
    /// the coefficient before. `None`: these bits are no symbol, or one that leaves the block.
    #[inline(always)]
    pub fn rare(&self, base: u32, next: u64, look: Look, after: u32) -> Option<Single> {
        if look.second().0 != RARE || look.bits().is_multiple_of(64) {
            return self.slow(base, next, after);
        }
        let (advance, packed) = look.first();
        let (length, size) = (packed as u32 & 15, (packed as u32 >> 4) & 15);
        let index = after + advance;
        let value = extend((next << length >> 32 >> (32 - size)) as u32, size) as i16;
        (index < 64).then_some(Single {
            bits: length + size,
            index,
            value,
            ends: index == 63,
        })
    }

    #[cold]
    #[inline(never)]
    fn slow(&self, base: u32, next: u64, after: u32) -> Option<Single> {
        let &(code, is_dc) = self.codes.get((base >> LOOK) as usize)?;
        let (length, symbol) = code.find((next >> 48) as u16)?;
        let (run, size) = match is_dc {
            true => (0, u32::from(symbol)),
            false => (u32::from(symbol) >> 4, u32::from(symbol) & 15),
        };
        if !means_something(run, size, is_dc) {
            return None;
        }
        if !is_dc && symbol == 0 {
            return Some(Single {
                bits: length,
                index: 63,
                value: 0,
                ends: true,
            });
        }
        let index = if is_dc { 0 } else { after + run + 1 };
        let value = extend((next << length >> 32 >> (32 - size)) as u32, size) as i16;
        (index < 64).then_some(Single {
            bits: length + size,
            index,
            value,
            ends: index == 63,
        })
    }
}

/// The table of one AC code alone, for the first scans of a progressive file. There, a symbol that ends
/// the band of several blocks is one that a look does not take.
pub(super) struct AcPairs<'t> {
    looks: Box<[Look; 1 << LOOK]>,
    symbols: Symbols<'t>,
}

impl<'t> AcPairs<'t> {
    pub fn new(code: &'t Code) -> Self {
        let table = code.table(LOOK);
        let mut looks = Box::new([Look::NOTHING; 1 << LOOK]);
        for (bits, entry) in (0..).zip(looks.iter_mut()) {
            *entry = look(bits, &table, &table, false);
        }
        Self {
            looks,
            symbols: Symbols::new(code),
        }
    }

    /// The entry for the highest bits of `next`.
    #[inline(always)]
    pub fn look(&self, next: u64) -> Look {
        self.looks[(next >> (64 - LOOK)) as usize & ((1 << LOOK) - 1)]
    }

    /// Takes the next symbol alone; 0 where there is none.
    #[inline(always)]
    pub fn symbol(&self, source: &mut Source<'_>) -> u8 {
        self.symbols.take_any(source)
    }
}

/// Whether a symbol stands for a coefficient, an end of block or a run of 16 zeros.
fn means_something(run: u32, size: u32, is_dc: bool) -> bool {
    match is_dc {
        true => size <= MAX_DC_SIZE,
        false => size <= MAX_AC_SIZE && (size > 0 || run == 0 || run == 15),
    }
}

/// The entry for the twelve bits `bits`, from the codes' own tables.
fn look(bits: u32, begin: &[u16], after: &[u16], is_dc: bool) -> Look {
    let Some(first) = symbol(bits, begin, is_dc) else {
        return Look::NOTHING;
    };
    if first.ends {
        return Look::new(first.length, true, (1, 0), (1, 0));
    }
    let advance = if is_dc { 0 } else { first.run + 1 };
    let end = first.length + first.size;
    if end > LOOK || first.size > MAX_FIRST {
        let packed = first.length | first.size << 4;
        return Look::new(1, false, (advance, packed as i32), (RARE, 0));
    }
    let value = first.value(bits, 0);
    let rest = (bits << end) & ((1 << LOOK) - 1);
    match symbol(rest, after, false) {
        Some(second) if end + second.length + second.size <= LOOK && second.size <= MAX_SECOND => {
            let total = end + second.length + second.size;
            let (more, next) = match second.ends {
                true => (0, 0),
                false => (second.run + 1, second.value(bits, end)),
            };
            Look::new(total, second.ends, (advance, value), (advance + more, next))
        }
        _ => Look::new(end, false, (advance, value), (advance, value)),
    }
}

/// A symbol that the look holds as a whole.
struct Symbol {
    length: u32,
    run: u32,
    size: u32,
    ends: bool,
}

impl Symbol {
    /// The value of the bits behind this symbol's code, which begins `at` bits into the look.
    fn value(&self, bits: u32, at: u32) -> i32 {
        let below = LOOK - at - self.length - self.size;
        extend((bits >> below) & ((1 << self.size) - 1), self.size)
    }
}

fn symbol(bits: u32, table: &[u16], is_dc: bool) -> Option<Symbol> {
    let entry = u32::from(*table.get(bits as usize)?);
    let (length, symbol) = (entry >> 8, entry & 255);
    let (run, size) = if is_dc {
        (0, symbol)
    } else {
        (symbol >> 4, symbol & 15)
    };
    let usable = length > 0 && means_something(run, size, is_dc);
    usable.then_some(Symbol {
        length,
        run,
        size,
        ends: !is_dc && symbol == 0,
    })
}
