//! `optimize`: pixels only, no store.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::thread::available_parallelism;

use bytes::Bytes;
use core::{OptimizeOptions, OptimizedImage};
use lablink_storage as core;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::{self, guard};
use crate::slot::Slot;
use crate::{greenlets, input, logging, memory, options, results};

/// Checks, turns upright, resizes and re-encodes one image. Nothing is stored.
///
/// Args:
///     data: bytes, bytearray, memoryview, a path object, or a binary file object, which is read from where
///         it stands, put back there and left open.
///     max_width, max_height: the box in pixels, 1 to 16384. Nothing is enlarged.
///     quality: encoder quality, 1 to 100.
///     format: "jpeg", "webp", "png", "avif", or "auto" (JPEG where every pixel is opaque, else WebP).
///     background: matte behind transparency where the output has none, "#rrggbb" or three numbers.
///     limits: what the file may cost; see LimitOptions.
///     fit: "inside", "contain" or "cover".
///     gravity: which part stays when "cover" crops: "center", "north", "northeast", ..., "attention" for
///         where the subject is, or a point (x, y) of 0 to 1
///     progressive: progressive JPEG.
///     lossless: lossless WebP.
///     palette: PNG of a drawing with 256 colours that stand for all, where the difference does not show.
///     speed: speed of the AVIF encoder, 1 to 10; slower ones make smaller files.
///     animation: "first_frame", "reject", or "keep": animated WebP, with the format "webp" or "auto".
///     keep_copyright: keep the copyright notice and the artist.
///     accept_truncated: take a truncated file as far as it decodes.
///     max_damage: the largest share of the picture that may be lost to damage inside the file, 0 to 1.
///
/// Returns:
///     OptimizedImage with data, content_type, width, height, format, placeholder and source.
///
/// Raises:
///     UnsupportedFormatError: SVG, PDF, HEIC where it is not built in, ...: the message names it.
///     LimitExceededError: over a limit; the message has both numbers.
///     InvalidImageError: no image, or a damaged one.
///     InvalidArgumentError: an option is outside its range.
///
/// Example:
///     >>> from lablink_storage import optimize
///     >>> optimize(photo, max_width=640, format="webp").content_type
///     'image/webp'
#[pyfunction]
#[pyo3(
    signature = (data, **keywords),
    text_signature = "(data, *, max_width=1200, max_height=1200, quality=85, format='jpeg', \
                      background='#ffffff', limits=None, fit='inside', gravity='center', \
                      progressive=False, lossless=False, palette=True, speed=8, animation='first_frame', \
                      keep_copyright=False, accept_truncated=False, max_damage=0.05)"
)]
pub(crate) fn optimize<'py>(
    py: Python<'py>,
    data: &Bound<'py, PyAny>,
    keywords: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    guard(|| {
        let options = options::optimize_keywords(keywords)?;
        let bytes = input::read(data, options.limits.max_bytes)?;
        logging::refresh(py);
        memory::keep();
        let image = match greenlets::hub(py)? {
            Some(hub) => greenlets::wait(&hub, beside(bytes, options), drop)?,
            None => py
                .detach(|| core::optimize(&bytes, &options))
                .map_err(core::Error::from),
        };
        results::optimized_image(py, &image.map_err(error::storage)?)
    })
}

/// Works on threads of the runtime, as many at once as there are processors: greenlets have one thread together.
async fn beside(bytes: Bytes, options: OptimizeOptions) -> core::Result<OptimizedImage> {
    static TURNS: Slot<Semaphore> = Slot::new();
    let Ok(turns) = TURNS.get_or_try_init(|| {
        let most = available_parallelism().map_or(1, NonZeroUsize::get);
        Ok::<_, Infallible>(Semaphore::new(most))
    });
    let turn = turns.acquire().await;
    let work = spawn_blocking(move || {
        let image = core::optimize(&bytes, &options);
        drop(turn);
        image
    });
    match work.await {
        Ok(image) => Ok(image?),
        Err(stopped) => resume_unwind(stopped.into_panic()),
    }
}
