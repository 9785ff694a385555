//! The boxes of a HEIF file (ISO/IEC 14496-12 and 23008-12): its items, what is known of them, and their bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use heifer_isobmff::boxes::{
    self, ConstructionMethod, Extent, ItemLocation, ItemReference, Property, PropertyAssociation,
};
use heifer_isobmff::{BoxIter, FourCC};

use crate::optimize::OptimizeError;
use crate::optimize::codec::be_u32;

/// The largest `meta` box, in bytes: real ones hold a colour profile and a few kilobytes besides.
const MAX_META_BYTES: u64 = 5 << 20;

/// A file whose boxes are found. Nothing in it is decoded.
pub(super) struct Container<'a> {
    bytes: &'a [u8],
    /// Bytes that stand in the `meta` box itself.
    idat: &'a [u8],
    pub(super) primary: u32,
    kinds: BTreeMap<u32, [u8; 4]>,
    properties: Vec<Property>,
    associations: BTreeMap<u32, Vec<PropertyAssociation>>,
    locations: BTreeMap<u32, ItemLocation>,
    references: Vec<ItemReference>,
    /// Pictures of the sequence that the file has besides its still picture, or 0.
    pub(super) frames: u32,
}

pub(super) fn damaged(_: heifer_isobmff::Error) -> OptimizeError {
    OptimizeError::invalid("a damaged HEIF container")
}

impl<'a> Container<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, OptimizeError> {
        let missing = || OptimizeError::invalid("truncated file: its list of pictures is missing");
        let meta = child(bytes, b"meta").ok_or_else(missing)?;
        if meta.len() as u64 > MAX_META_BYTES {
            return Err(OptimizeError::LimitExceeded {
                what: "bytes of HEIF metadata",
                value: meta.len() as u64,
                limit: MAX_META_BYTES,
            });
        }
        let mut container = Self {
            bytes,
            idat: &[],
            primary: 0,
            kinds: BTreeMap::new(),
            properties: Vec::new(),
            associations: BTreeMap::new(),
            locations: BTreeMap::new(),
            references: Vec::new(),
            frames: frames(bytes).unwrap_or(0),
        };
        let mut has_primary = false;
        // The version and flags come first.
        for part in BoxIter::new(meta.get(4..).unwrap_or_default()) {
            let part = part.map_err(damaged)?;
            has_primary |= part.header.box_type.0 == *b"pitm";
            container
                .take(part.header.box_type, part.content)
                .map_err(damaged)?;
        }
        if !has_primary || !container.kinds.contains_key(&container.primary) {
            return Err(OptimizeError::invalid(
                "a HEIF file without a still picture",
            ));
        }
        Ok(container)
    }

    fn take(&mut self, kind: FourCC, content: &'a [u8]) -> Result<(), heifer_isobmff::Error> {
        match &kind.0 {
            b"pitm" => self.primary = boxes::parse_primary_item(content)?,
            b"iinf" => {
                let infos = boxes::parse_item_infos(content)?.into_iter();
                self.kinds = infos.map(|info| (info.id, info.item_type.0)).collect();
            }
            b"iloc" => {
                let locations = boxes::parse_item_locations(content)?.into_iter();
                self.locations = locations.map(|place| (place.id, place)).collect();
            }
            b"iref" => self.references = boxes::parse_item_references(content)?,
            b"idat" => self.idat = content,
            b"iprp" => {
                for part in BoxIter::new(content) {
                    let part = part?;
                    match &part.header.box_type.0 {
                        b"ipco" => self.properties = boxes::parse_property_container(part.content)?,
                        b"ipma" => self
                            .associations
                            .extend(boxes::parse_property_associations(part.content)?),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The type of an item: `av01`, `hvc1`, `grid`, …
    pub(super) fn kind(&self, item: u32) -> Option<[u8; 4]> {
        self.kinds.get(&item).copied()
    }

    /// Whether there is anything but pictures: EXIF, XMP.
    pub(super) fn has_metadata(&self) -> bool {
        let mut kinds = self.kinds.values();
        kinds.any(|kind| matches!(kind, b"Exif" | b"mime" | b"uri "))
    }

    /// What is known of an item, in the order in which it is to be applied.
    pub(super) fn properties(&self, item: u32) -> impl Iterator<Item = &Property> {
        let indices = self.associations.get(&item).into_iter().flatten();
        indices.filter_map(|association| {
            let index = usize::from(association.index).checked_sub(1)?;
            self.properties.get(index)
        })
    }

    /// Width and height of an item.
    pub(super) fn size(&self, item: u32) -> Result<(u32, u32), OptimizeError> {
        let size = self.properties(item).find_map(|property| match property {
            &Property::ImageSize { width, height } => Some((width, height)),
            _ => None,
        });
        size.filter(|&(width, height)| width > 0 && height > 0)
            .ok_or_else(|| OptimizeError::invalid("a HEIF picture without its size"))
    }

    /// The items that an item refers to.
    pub(super) fn referenced(&self, from: u32, kind: &[u8; 4]) -> &[u32] {
        let mut references = self.references.iter();
        let found = references.find(|found| found.from == from && found.ref_type.0 == *kind);
        found.map_or(&[], |found| &found.to)
    }

    /// The items that refer to an item.
    pub(super) fn referring(&self, to: u32, kind: &[u8; 4]) -> impl Iterator<Item = u32> {
        let references = self.references.iter();
        references
            .filter(move |found| found.ref_type.0 == *kind && found.to.contains(&to))
            .map(|found| found.from)
    }

    /// An item's bytes.
    pub(super) fn data(&self, item: u32) -> Result<Cow<'a, [u8]>, OptimizeError> {
        let place = self.locations.get(&item);
        let place = place.ok_or_else(|| OptimizeError::invalid("a HEIF picture without data"))?;
        let source = match place.construction_method {
            ConstructionMethod::File => self.bytes,
            ConstructionMethod::Idat => self.idat,
            ConstructionMethod::Item => {
                return Err(OptimizeError::UnsupportedFormat {
                    name: "HEIF with data made of other items",
                });
            }
        };
        let part = |extent: &Extent| {
            let begin = usize::try_from(extent.offset).ok()?;
            let length = usize::try_from(extent.length).ok()?;
            let end = match length {
                0 => source.len(),
                length => begin.checked_add(length)?,
            };
            source.get(begin..end)
        };
        let truncated = || OptimizeError::invalid("truncated file: data of its picture is missing");
        if let [extent] = &place.extents[..] {
            return part(extent).map(Cow::Borrowed).ok_or_else(truncated);
        }
        let mut data = Vec::new();
        for extent in &place.extents {
            let part = part(extent).ok_or_else(truncated)?;
            // Parts that overlap must not make much of little.
            if data.len() + part.len() > source.len() {
                return Err(OptimizeError::invalid(
                    "a HEIF picture larger than its file",
                ));
            }
            data.extend_from_slice(part);
        }
        Ok(Cow::Owned(data))
    }

    /// The EXIF block that describes the primary item, a TIFF structure.
    pub(super) fn exif(&self) -> Option<Cow<'a, [u8]>> {
        let mut describing = self.referring(self.primary, b"cdsc");
        let item = describing.find(|&item| self.kind(item) == Some(*b"Exif"))?;
        let data = self.data(item).ok()?;
        // How far behind this number the structure begins.
        let skipped = data.get(..4).and_then(|bytes| bytes.try_into().ok())?;
        let begin = usize::try_from(u32::from_be_bytes(skipped))
            .ok()?
            .checked_add(4)?;
        Some(match data {
            Cow::Borrowed(data) => Cow::Borrowed(data.get(begin..)?),
            Cow::Owned(data) => Cow::Owned(data.get(begin..)?.to_vec()),
        })
    }
}

/// The content of the first box of a kind. Boxes behind one that is cut off are out of reach.
fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let mut whole = BoxIter::new(bytes).map_while(Result::ok);
    whole.find_map(|part| (part.header.box_type.0 == *kind).then_some(part.content))
}

/// How many pictures the first track has.
fn frames(bytes: &[u8]) -> Option<u32> {
    let path = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsz"];
    let sizes = path
        .iter()
        .try_fold(bytes, |bytes, kind| child(bytes, kind))?;
    be_u32(sizes, 8)
}
