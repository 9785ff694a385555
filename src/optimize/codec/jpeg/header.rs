//! Scan headers and the tables between them (ITU-T T.81, B.2).

use super::{
    error::Error,
    huffman::Code,
    index::{Index, SECOND_FRAME, Segments, is_frame},
    segments::{self, Fields},
    standard,
    types::{Header, Process},
};

/// The tables in force; later segments replace earlier ones (B.2.4).
#[derive(Default)]
pub(super) struct Tables {
    /// Quantisation values in zigzag order.
    pub quantization: [Option<[u16; 64]>; 4],
    pub dc: [Option<Code>; 4],
    pub ac: [Option<Code>; 4],
    /// MCUs between two restart markers; 0 where there are none.
    pub restart_interval: u16,
}

impl Tables {
    pub fn dc_code(&self, index: usize) -> Result<&Code, Error> {
        code(&self.dc, index)
    }

    pub fn ac_code(&self, index: usize) -> Result<&Code, Error> {
        code(&self.ac, index)
    }

    /// Motion JPEG leaves the tables out and means those of annex K.
    fn complete(&mut self) {
        for (index, [dc, ac]) in standard::TABLES.iter().enumerate() {
            for (codes, bytes) in [(&mut self.dc, *dc), (&mut self.ac, *ac)] {
                if let Some(slot @ None) = codes.get_mut(index) {
                    *slot = Code::parse(&mut Fields(bytes)).ok();
                }
            }
        }
    }
}

/// Notes that a table, 0 to 3, is there; whether it replaces one that was not used.
fn define(unused: &mut u8, destination: u8) -> bool {
    let bit = 1 << (destination & 3);
    let replaces = *unused & bit != 0;
    *unused |= bit;
    replaces
}

fn code(codes: &[Option<Code>; 4], index: usize) -> Result<&Code, Error> {
    let code = codes.get(index).and_then(Option::as_ref);
    code.ok_or(Error::Damaged("no Huffman table for a scan"))
}

/// One component of a scan (B.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ScanComponent {
    /// Its place in the frame header.
    pub index: usize,
    pub dc_table: usize,
    pub ac_table: usize,
}

/// A scan header (B.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    pub components: Vec<ScanComponent>,
    /// First and last coefficient, in zigzag order.
    pub band: (u8, u8),
    /// Successive approximation: the bit position before this scan (0: none yet) and after it.
    pub high: u8,
    pub low: u8,
    /// Where the entropy-coded data begins.
    pub data: usize,
}

/// Reads a file from scan to scan.
pub(super) struct Reader<'a> {
    pub segments: Segments<'a>,
    pub header: &'a Header,
    pub tables: Tables,
    /// Whether scans or tables hold bytes that the image did not need, or what other decoders refuse.
    pub spare: bool,
    /// Tables that no scan has used yet.
    unused: Unused,
    has_frame: bool,
}

/// One bit for each table, destination by destination.
#[derive(Default)]
struct Unused {
    quantization: u8,
    dc: u8,
    ac: u8,
}

impl<'a> Reader<'a> {
    pub fn new(index: &'a Index<'a>) -> Self {
        // One identifier for several is found in real files; other decoders refuse it.
        let mut ids: Vec<u8> = index.header.components.iter().map(|c| c.id).collect();
        ids.sort_unstable();
        Self {
            segments: index.segments(),
            header: &index.header,
            tables: Tables::default(),
            spare: ids.windows(2).any(|pair| pair[0] == pair[1]),
            unused: Unused::default(),
            has_frame: false,
        }
    }

    /// Reads on to the next scan; `None` at the end of the image.
    pub fn next_scan(&mut self) -> Result<Option<Scan>, Error> {
        loop {
            let segment = self.segments.next()?;
            let mut fields = Fields(segment.body);
            match segment.marker {
                segments::EOI => {
                    let Unused {
                        quantization,
                        dc,
                        ac,
                    } = self.unused;
                    self.spare |= quantization | dc | ac != 0;
                    return Ok(None);
                }
                segments::SOS => return self.scan(fields, segment.end).map(Some),
                segments::DQT => self.quantization(fields)?,
                segments::DHT => self.huffman(fields)?,
                segments::DRI => self.tables.restart_interval = fields.u16()?,
                // The frame has told the height.
                segments::DNL => self.spare = true,
                segments::DHP => return Err(Error::Unsupported("hierarchical JPEG")),
                segments::JPG => return Err(Error::Damaged("the reserved marker JPG")),
                marker if is_frame(marker) => self.only_frame()?,
                _ => {}
            }
        }
    }

    fn only_frame(&mut self) -> Result<(), Error> {
        match std::mem::replace(&mut self.has_frame, true) {
            true => Err(SECOND_FRAME),
            false => Ok(()),
        }
    }

    /// B.2.3.
    fn scan(&mut self, mut fields: Fields<'_>, data: usize) -> Result<Scan, Error> {
        let frame = self.header;
        let mut components: Vec<ScanComponent> = Vec::new();
        for _ in 0..fields.u8()? {
            let id = fields.u8()?;
            let (dc, ac) = fields.nibbles()?;
            // Where identifiers are doubled, each component of the scan is the next one.
            let is_free = |index: usize| components.iter().all(|other| other.index != index);
            let index = (0..)
                .zip(&frame.components)
                .position(|(index, component)| component.id == id && is_free(index))
                .ok_or(Error::Damaged(
                    "a scan names a component that is not in the frame",
                ))?;
            // Some decoders want the order of the frame.
            self.spare |= components.last().is_some_and(|last| last.index > index);
            components.push(ScanComponent {
                index,
                dc_table: dc.into(),
                ac_table: ac.into(),
            });
        }
        if components.is_empty() {
            return Err(Error::Damaged("a scan without components"));
        }
        let band = (fields.u8()?, fields.u8()?);
        let (high, low) = fields.nibbles()?;
        for component in &components {
            if let Some(component) = frame.components.get(component.index) {
                self.unused.quantization &= !(1 << component.quantization);
            }
            if band.0 == 0 && high == 0 {
                self.unused.dc &= !(1 << (component.dc_table & 3));
            }
            if band.1 > 0 {
                self.unused.ac &= !(1 << (component.ac_table & 3));
            }
        }
        if frame.process != Process::Progressive {
            // Some cameras write other numbers, which mean nothing here.
            self.spare |= (band, high, low) != ((0, 63), 0, 0);
            // Some decoders know no table that is not in the file.
            let is_there = |component: &ScanComponent| {
                self.tables.dc_code(component.dc_table).is_ok()
                    && self.tables.ac_code(component.ac_table).is_ok()
            };
            self.spare |= !components.iter().all(is_there);
            self.tables.complete();
        }
        Ok(Scan {
            components,
            band,
            high,
            low,
            data,
        })
    }

    /// B.2.4.1.
    fn quantization(&mut self, mut fields: Fields<'_>) -> Result<(), Error> {
        while !fields.is_empty() {
            let (precision, destination) = fields.nibbles()?;
            let mut table = [0; 64];
            for value in &mut table {
                *value = match precision {
                    0 => fields.u8()?.into(),
                    1 => fields.u16()?,
                    _ => {
                        return Err(Error::Damaged(
                            "a quantisation table of neither 8 nor 16 bits",
                        ));
                    }
                };
            }
            match self.tables.quantization.get_mut(usize::from(destination)) {
                Some(slot) => *slot = Some(table),
                None => return Err(Error::Damaged("there are four quantisation tables only")),
            }
            self.spare |= define(&mut self.unused.quantization, destination);
        }
        Ok(())
    }

    /// B.2.4.2.
    fn huffman(&mut self, mut fields: Fields<'_>) -> Result<(), Error> {
        while !fields.is_empty() {
            let (class, destination) = fields.nibbles()?;
            let (tables, unused) = match class {
                0 => (&mut self.tables.dc, &mut self.unused.dc),
                1 => (&mut self.tables.ac, &mut self.unused.ac),
                _ => return Err(Error::Damaged("a Huffman table of neither class")),
            };
            match tables.get_mut(usize::from(destination)) {
                Some(slot) => {
                    let code = Code::parse(&mut fields)?;
                    self.spare |= !code.is_plain(class == 0);
                    *slot = Some(code);
                }
                None => {
                    return Err(Error::Damaged(
                        "there are four Huffman tables of a kind only",
                    ));
                }
            }
            self.spare |= define(unused, destination);
        }
        Ok(())
    }
}
