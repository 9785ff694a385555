//! HEIF, the container of AVIF and HEIC (ISO/IEC 23008-12): which pictures are in it, how they are put together,
//! turned and coloured. Their bitstreams are decoded in the folders of the two formats.

mod container;
mod decode;
mod planes;
mod shown;

use std::borrow::Cow;

use heifer_isobmff::boxes::{ColorInfo, Grid, HevcConfig, Property};

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::{Decoded, Facts, File, Wanted, check_profile};
use container::{Container, damaged};
use shown::Shown;

pub(super) use planes::{CodePoints, Coded, Plane, Samples};

/// How the pictures of a format are coded.
pub(super) struct Coding {
    /// The type of an item that is coded like this.
    pub(super) item: [u8; 4],
    pub(super) name: &'static str,
    pub(super) decode: fn(&Bitstream<'_>, &Budget<'_>) -> Result<Coded, OptimizeError>,
    /// Bytes of memory for each pixel while a picture is decoded.
    pub(super) bytes_per_pixel: u64,
}

/// One coded picture. Each format needs a part of this.
#[cfg_attr(not(all(feature = "avif-decode", feature = "heic")), allow(dead_code))]
pub(super) struct Bitstream<'a> {
    pub(super) data: Cow<'a, [u8]>,
    pub(super) width: u32,
    pub(super) height: u32,
    /// The parameter sets of HEVC.
    pub(super) hevc: Option<&'a HevcConfig>,
    /// The operating point of AV1.
    pub(super) operating_point: u8,
}

/// A file whose pictures are found.
struct HeifFile<'a> {
    facts: Facts<'a>,
    container: Container<'a>,
    coding: &'static Coding,
    picture: Picture,
    shown: Shown,
    alpha: Option<Alpha>,
}

/// A picture and the coded ones that it consists of, row by row.
struct Picture {
    item: u32,
    width: u32,
    height: u32,
    /// Width and height of a tile.
    tile: (u32, u32),
    columns: u32,
    tiles: Vec<u32>,
}

struct Alpha {
    picture: Picture,
    /// Whether the colours are multiplied by it.
    premultiplied: bool,
}

/// Finds the picture of a file, and checks its size and parts.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    budget: &Budget<'_>,
    coding: &'static Coding,
) -> Result<Box<dyn File + 'a>, OptimizeError> {
    let container = Container::parse(bytes)?;
    let picture = Picture::of(&container, container.primary, coding, budget)?;
    let alpha = container
        .referring(container.primary, b"auxl")
        .find(|&item| container.properties(item).any(is_alpha));
    let alpha = match alpha {
        Some(item) => Some(Alpha {
            picture: Picture::of(&container, item, coding, budget)?,
            premultiplied: container
                .referenced(container.primary, b"prem")
                .contains(&item),
        }),
        None => None,
    };
    let size = (picture.width, picture.height);
    let shown = Shown::of(size, container.properties(container.primary));
    let exif = container.exif();
    let mut file = HeifFile {
        facts: Facts {
            width: shown.width,
            height: shown.height,
            frames: container.frames.max(1),
            plays: 1,
            has_metadata: exif.is_some() || container.has_metadata(),
            orientation: Some(shown.orientation()),
            exif,
        },
        container,
        coding,
        picture,
        shown,
        alpha,
    };
    if let Some(profile) = file.profile() {
        check_profile(profile.len() as u64)?;
        file.facts.has_metadata = true;
    }
    Ok(Box::new(file))
}

/// Whether an item's property says that it is alpha.
fn is_alpha(property: &Property) -> bool {
    let Property::AuxiliaryType(kind) = property else {
        return false;
    };
    matches!(
        kind.as_str(),
        "urn:mpeg:hevc:2015:auxid:1" | "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
    )
}

impl Picture {
    fn of(
        container: &Container<'_>,
        mut item: u32,
        coding: &Coding,
        budget: &Budget<'_>,
    ) -> Result<Self, OptimizeError> {
        let kind = |item| container.kind(item).unwrap_or_default();
        let asked_for = item;
        // A picture that is another one as it stands.
        if kind(item) == *b"iden" {
            item = *container
                .referenced(item, b"dimg")
                .first()
                .ok_or_else(|| OptimizeError::invalid("a HEIF picture without its source"))?;
        }
        let (width, height) = container.size(item)?;
        budget.check_size(width, height)?;
        let mut picture = Self {
            item: asked_for,
            width,
            height,
            tile: (width, height),
            columns: 1,
            tiles: vec![item],
        };
        if kind(item) == *b"grid" {
            picture.take_tiles(container, item, budget)?;
        }
        if picture.tiles.iter().any(|&tile| kind(tile) != coding.item) {
            return Err(OptimizeError::UnsupportedFormat { name: coding.name });
        }
        Ok(picture)
    }

    fn take_tiles(
        &mut self,
        container: &Container<'_>,
        item: u32,
        budget: &Budget<'_>,
    ) -> Result<(), OptimizeError> {
        let grid = Grid::parse(&container.data(item)?).map_err(damaged)?;
        let tiles = container.referenced(item, b"dimg");
        let (rows, columns) = (u32::from(grid.rows), u32::from(grid.columns));
        let wrong = || OptimizeError::invalid("a HEIF grid that its tiles do not fill");
        if tiles.is_empty() || tiles.len() as u64 != u64::from(rows) * u64::from(columns) {
            return Err(wrong());
        }
        budget.check_size(grid.output_width, grid.output_height)?;
        let (width, height) = container.size(tiles[0])?;
        budget.check_size(width, height)?;
        // Every tile shows something, and together they fill the picture.
        let fills = |side: u32, tile: u32, count: u32| {
            let (side, tile, count) = (u64::from(side), u64::from(tile), u64::from(count));
            (count - 1) * tile < side && side <= count * tile
        };
        if !fills(grid.output_width, width, columns) || !fills(grid.output_height, height, rows) {
            return Err(wrong());
        }
        (self.width, self.height) = (grid.output_width, grid.output_height);
        self.tile = (width, height);
        self.columns = columns;
        self.tiles = tiles.to_vec();
        Ok(())
    }
}

impl HeifFile<'_> {
    /// What is known of a picture, or else of its first tile.
    fn color_properties(&self, picture: &Picture) -> impl Iterator<Item = &ColorInfo> {
        let items = [picture.item, picture.tiles[0]];
        items
            .into_iter()
            .flat_map(|item| self.container.properties(item))
            .filter_map(|property| match property {
                Property::Color(color) => Some(color),
                _ => None,
            })
    }

    fn profile(&self) -> Option<&[u8]> {
        self.color_properties(&self.picture)
            .find_map(|color| match color {
                ColorInfo::Icc(profile) if !profile.is_empty() => Some(profile.as_slice()),
                _ => None,
            })
    }

    /// The code points that the container states for a picture.
    fn code_points(&self, picture: &Picture) -> Option<CodePoints> {
        self.color_properties(picture)
            .find_map(|color| match *color {
                ColorInfo::Nclx {
                    primaries,
                    transfer,
                    matrix,
                    full_range,
                } => Some(CodePoints {
                    primaries: u8::try_from(primaries).ok()?,
                    transfer: u8::try_from(transfer).ok()?,
                    matrix: u8::try_from(matrix).ok()?,
                    full_range,
                }),
                _ => None,
            })
    }
}

impl File for HeifFile<'_> {
    fn facts(&self) -> &Facts<'_> {
        &self.facts
    }

    fn decode(&self, _wanted: Wanted, budget: &Budget<'_>) -> Result<Decoded, OptimizeError> {
        decode::decode(self, budget)
    }
}
