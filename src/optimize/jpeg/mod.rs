//! Our own JPEG decoder: straight to component planes, at any N/8 of full size.
//!
//! It takes sequential and progressive 8-bit Huffman files (ITU-T T.81) of one or three components, with
//! every sampling. Whatever else a file is, or if it is damaged, it says so and decodes nothing: a
//! general decoder takes over, or the file is refused. It never guesses.
//!
//! From the bytes to the planes: `segments` finds the marker segments and `header` reads them;
//! `geometry` lays out blocks and coefficients; `source` hands out bits; `huffman` and `pairs` are
//! the code tables; `sequential` and `progressive` decode scans; `idct` makes samples. `encode`(mod@encode) is the way back.

#![forbid(unsafe_code)]

pub mod encode;
mod entropy;
mod error;
mod geometry;
mod header;
mod huffman;
mod idct;
mod intervals;
mod lanes;
mod pairs;
mod points;
mod progressive;
mod segments;
mod sequential;
mod source;
mod strip;
mod symbols;
mod types;

pub use error::Error;
pub use types::{Color, Component, DecodeLimits, Header, Plane, Planes, Process};

use geometry::{Grid, McuGrid};
use header::Reader;

/// Reads what stands in front of the first scan.
///
/// # Errors
///
/// [`Error::Damaged`] or [`Error::Truncated`] where there is no header to read, [`Error::Unsupported`]
/// where it does not tell the height. A header that can be read may still be one that [`decode`] does
/// not support.
pub fn read_header(data: &[u8]) -> Result<Header, Error> {
    let mut reader = Reader::new(data)?;
    match reader.next_scan()? {
        Some(_) => reader.header(),
        None => Err(NO_SCAN),
    }
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
    let mut reader = Reader::new(data)?;
    let scan = reader.next_scan()?.ok_or(NO_SCAN)?;
    let header = reader.header()?;
    let pixels = u64::from(header.width) * u64::from(header.height);
    if pixels > limits.max_pixels {
        let (what, limit) = ("JPEG pixels", limits.max_pixels);
        return Err(Error::LimitExceeded {
            what,
            value: pixels,
            limit,
        });
    }
    if header.precision != 8 {
        return Err(Error::Unsupported("samples of more than 8 bits"));
    }
    if header.color == Color::Other {
        return Err(Error::Unsupported("neither one nor three components"));
    }
    let (mcus, grids) = Grid::all(&header, scale);
    let job = Job {
        limits,
        header: &header,
        mcus,
        grids,
    };
    let (planes, truncated) = match header.process {
        Process::Baseline | Process::Extended => sequential::decode(&job, &mut reader, scan)?,
        Process::Progressive => progressive::decode(&job, &mut reader, scan)?,
        Process::Other => {
            return Err(Error::Unsupported(
                "lossless, hierarchical or arithmetic coding",
            ));
        }
    };
    Ok(Planes {
        width: header.width,
        height: header.height,
        color: header.color,
        adobe_transform: header.adobe_transform,
        planes,
        truncated,
        spare: reader.spare,
    })
}

const NO_SCAN: Error = Error::Damaged("the image ends before its first scan");

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

    /// The quantisation values of a component, those in force when its scan begins.
    fn quantization<'t>(
        &self,
        reader: &'t Reader<'_>,
        index: usize,
    ) -> Result<&'t [u16; 64], Error> {
        let component = self.header.components.get(index);
        let table = component.and_then(|component| {
            reader
                .tables
                .quantization
                .get(usize::from(component.quantization))?
                .as_ref()
        });
        table.ok_or(Error::Damaged("no quantisation table for a component"))
    }

    /// Refuses planes, and `more` bytes beside them, that are over the limit, before they are allocated.
    fn check_bytes(&self, more: u64) -> Result<(), Error> {
        let planes: u64 = self.grids.iter().map(Grid::plane_bytes).sum();
        geometry::check_bytes(planes + more, self.limits.max_bytes)
    }

    fn check_scans(&self, scans: u32) -> Result<(), Error> {
        let limit = self.limits.max_scans;
        match scans > limit {
            true => Err(Error::LimitExceeded {
                what: "JPEG scans",
                value: scans.into(),
                limit: limit.into(),
            }),
            false => Ok(()),
        }
    }

    fn check_deadline(&self) -> Result<(), Error> {
        match self.limits.expired {
            Some(expired) if expired() => Err(Error::Deadline),
            _ => Ok(()),
        }
    }
}
