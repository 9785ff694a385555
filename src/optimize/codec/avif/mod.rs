//! AVIF: AV1 in HEIF (AOM, "AV1 Image File Format").

mod encode;

use crate::optimize::OptimizeError;

use super::Codec;

pub(super) const CODEC: Codec = Codec {
    open: |_, _| Err(OptimizeError::invalid("its format is not compiled in")),
    encode: encode::encode,
    has_alpha: true,
    takes_planes: |_| true,
};
