//! Whether compressed data goes on behind the picture. Decoders ignore what is there, so a source that is kept
//! as it is would carry it on.

use crate::optimize::OptimizeError;
use crate::optimize::budget::Budget;

use super::Picture;
use super::decode::ends_early;
use super::vp8::without_end_of_first_partition;

/// Bytes at the end of the data that no encoder leaves unused: its last words and their padding.
const TAIL: usize = 16;
/// The same at the end of the first partition, which may be short.
const PARTITION_TAIL: usize = 4;

/// Whether the picture is whole without the last bytes of one of its parts: its data, the first of two
/// partitions that lossy data has, or its alpha.
pub(super) fn has_tail(picture: &Picture<'_>, budget: &Budget<'_>) -> Result<bool, OptimizeError> {
    let cut = |data: &[u8]| data.len().saturating_sub(TAIL);
    let mut shorter = vec![Picture {
        data: &picture.data[..cut(picture.data)],
        missing: TAIL,
        ..*picture
    }];
    if let Some(alpha) = picture.alpha {
        shorter.push(Picture {
            alpha: Some(&alpha[..cut(alpha)]),
            ..*picture
        });
    }
    let first_partition;
    if !picture.lossless {
        let Some(data) = without_end_of_first_partition(picture.data, PARTITION_TAIL) else {
            return Ok(true);
        };
        first_partition = data;
        shorter.push(Picture {
            data: &first_partition,
            ..*picture
        });
    }
    for picture in &shorter {
        let early = ends_early(picture, budget);
        budget.check_time()?;
        if !early {
            return Ok(true);
        }
    }
    Ok(false)
}
