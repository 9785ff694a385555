//! Our own JPEG decoder: straight to component planes, at any N/8 of full size.
//!
//! It takes sequential and progressive 8-bit Huffman files (ITU-T T.81) of one, three or four components,
//! with every sampling. What is odd or damaged is decoded as far as libjpeg-turbo does, which is what
//! browsers show; [`Planes::damaged`] tells how much of the picture was lost.
//!
//! From the bytes to the planes: `index` finds the `segments` and what they say of the image; `header` reads
//! scan headers and tables (`standard` has those that a file may leave out); `geometry` lays out blocks and
//! coefficients. `source` hands out bits; `huffman` and `pairs` are the code tables, `symbols` and `points` what is made
//! of a code. `sequential` and `progressive` decode scans, by `intervals` between restart markers; `entropy` decodes the
//! blocks of one and knows where it went wrong. `strip` and `lanes` hold a row of blocks, `idct` makes samples of it.
//! `types` and `error` are what callers see; `encode`(mod@encode) is the way back, `codec` what the optimizer sees
//! of all this.

#![forbid(unsafe_code)]

mod codec;
pub mod encode;
mod entropy;
mod error;
mod geometry;
mod header;
mod huffman;
mod idct;
mod index;
mod intervals;
mod lanes;
mod pairs;
mod points;
mod progressive;
mod segments;
mod sequential;
mod source;
mod standard;
mod strip;
mod symbols;
mod types;

pub(super) use codec::CODEC;
#[cfg(feature = "tiff")]
pub(super) use codec::decode_part;
pub use error::Error;
pub use types::{Color, Component, DecodeLimits, Header, Plane, Planes, Process};

use geometry::{Grid, McuGrid};
use header::{Reader, Scan};
use index::Index;

/// Reads what stands in front of the first scan.
///
/// # Errors
///
/// [`Error::Damaged`] or [`Error::Truncated`] where there is no header to read, [`Error::Unsupported`]
/// where it does not tell the height. A header that can be read may still be one that [`decode`] does
/// not support.
pub fn read_header(data: &[u8]) -> Result<Header, Error> {
    Index::new(data, u32::MAX).map(|index| index.header)
}

/// Decodes the first image of `data` to planes.
///
/// `scale` is asked once for each component, with its index and its width and height in samples at full
/// size, how many eighths of that are wanted; the answer is clamped to 1..=8.
///
/// # Errors
///
/// [`Error::Unsupported`] and [`Error::Damaged`] where this decoder does not take the file,
/// [`Error::Truncated`] where it ends early, unless the limits accept that,
/// [`Error::LimitExceeded`] and [`Error::Deadline`] where it would cost too much.
pub fn decode(
    data: &[u8],
    limits: &DecodeLimits<'_>,
    scale: &dyn Fn(usize, f64, f64) -> usize,
) -> Result<Planes, Error> {
    decode_indexed(&Index::new(data, limits.max_scans)?, limits, scale)
}

/// As [`decode`].
fn decode_indexed(
    index: &Index<'_>,
    limits: &DecodeLimits<'_>,
    scale: &dyn Fn(usize, f64, f64) -> usize,
) -> Result<Planes, Error> {
    let header = &index.header;
    let mut reader = Reader::new(index);
    let scan = reader.next_scan()?.ok_or(NO_SCAN)?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    if pixels > limits.max_pixels {
        let (what, limit) = ("JPEG pixels", limits.max_pixels);
        return Err(Error::LimitExceeded {
            what,
            value: pixels,
            limit,
        });
    }
    match header.precision {
        8 => {}
        12 => return Err(Error::Unsupported("JPEG of 12 bits a sample")),
        _ => return Err(Error::Unsupported("JPEG of other than 8 bits a sample")),
    }
    if header.color == Color::Other {
        return Err(Error::Unsupported(
            "JPEG of other than one, three or four components",
        ));
    }
    let (mcus, grids) = Grid::all(header, scale);
    let job = Job {
        limits,
        header,
        mcus,
        grids,
    };
    let decoded = match header.process {
        Process::Baseline | Process::Extended => sequential::decode(&job, &mut reader, scan)?,
        Process::Progressive => progressive::decode(&job, &mut reader, scan)?,
        Process::Lossless => return Err(Error::Unsupported("lossless JPEG")),
        Process::Hierarchical => return Err(Error::Unsupported("hierarchical JPEG")),
        Process::Arithmetic => return Err(Error::Unsupported("JPEG with arithmetic coding")),
    };
    Ok(Planes {
        width: header.width,
        height: header.height,
        color: header.color,
        adobe_transform: header.adobe_transform,
        planes: decoded.planes,
        truncated: decoded.truncated,
        damaged: decoded.damaged,
        spare: reader.spare,
    })
}

const NO_SCAN: Error = Error::Damaged("the image ends before its first scan");

/// What came of the scans.
struct Decoded {
    planes: Vec<Plane>,
    truncated: bool,
    damaged: f64,
}

/// One decode: what is wanted, and what it may cost.
struct Job<'a> {
    limits: &'a DecodeLimits<'a>,
    header: &'a Header,
    mcus: McuGrid,
    /// One for each component.
    grids: Vec<Grid>,
}

impl Job<'_> {
    fn grid(&self, index: usize) -> Result<&Grid, Error> {
        self.grids.get(index).ok_or(Error::Damaged(
            "a scan names a component that is not in the frame",
        ))
    }

    /// Takes down the quantisation values of a scan's components: those in force at its first scan are
    /// those of a component.
    fn latch_tables(
        &self,
        reader: &Reader<'_>,
        scan: &Scan,
        tables: &mut [Option<[u16; 64]>],
    ) -> Result<(), Error> {
        for component in &scan.components {
            if let (Some(table @ None), Some(of)) = (
                tables.get_mut(component.index),
                self.header.components.get(component.index),
            ) {
                let values = reader.tables.quantization.get(usize::from(of.quantization));
                let values = values.and_then(Option::as_ref);
                *table =
                    Some(*values.ok_or(Error::Damaged("no quantisation table for a component"))?);
            }
        }
        Ok(())
    }

    /// Refuses planes, and `more` bytes beside them, that are over the limit, before they are allocated.
    fn check_bytes(&self, more: u64) -> Result<(), Error> {
        let planes: u64 = self.grids.iter().map(Grid::plane_bytes).sum();
        geometry::check_bytes(planes + more, self.limits.max_bytes)
    }

    fn check_scans(&self, scans: u32) -> Result<(), Error> {
        check_scans(scans, self.limits.max_scans)
    }

    fn check_deadline(&self) -> Result<(), Error> {
        match self.limits.expired {
            Some(expired) if expired() => Err(Error::Deadline),
            _ => Ok(()),
        }
    }
}

fn check_scans(scans: u32, limit: u32) -> Result<(), Error> {
    if scans <= limit {
        return Ok(());
    }
    Err(Error::LimitExceeded {
        what: "JPEG scans",
        value: scans.into(),
        limit: limit.into(),
    })
}
