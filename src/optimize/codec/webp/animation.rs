//! Animations: calls into libwebp, which knows what a frame leaves to the next, and which part of it differs.
//!
//! Every pointer handed over comes from a slice or a box that outlives the call, every size is checked here first,
//! and whatever libwebp allocates is freed by a guard.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::{ptr, slice};

use libwebp_sys as sys;

use super::libwebp::{MAX_SIDE, too_large};
use crate::optimize::budget::Budget;
use crate::optimize::raster::{Layout, Raster};
use crate::optimize::{OptimizeError, OptimizeOptions};

/// Shows every frame of a file, on its canvas of this size, and for how many milliseconds.
pub(super) fn play(
    file: &[u8],
    width: usize,
    height: usize,
    show: &mut dyn FnMut(Raster, u32) -> Result<(), OptimizeError>,
) -> Result<(), OptimizeError> {
    let damaged = || OptimizeError::invalid("damaged or truncated WebP: a frame does not decode");

    /// Deletes the decoder on every way out.
    struct Decoder(*mut sys::WebPAnimDecoder);
    impl Drop for Decoder {
        fn drop(&mut self) {
            // SAFETY: made by WebPAnimDecoderNewInternal, deleted once; null is allowed.
            unsafe { sys::WebPAnimDecoderDelete(self.0) }
        }
    }
    let data = sys::WebPData {
        bytes: file.as_ptr(),
        size: file.len(),
    };
    let version = sys::WEBP_DEMUX_ABI_VERSION as c_int;
    // SAFETY: `data` points to a live slice that outlives the decoder; without options it has its own, and the
    // colours of its canvas are RGBA.
    let decoder = Decoder(unsafe { sys::WebPAnimDecoderNewInternal(&data, ptr::null(), version) });
    if decoder.0.is_null() {
        return Err(damaged());
    }
    let mut info = std::mem::MaybeUninit::<sys::WebPAnimInfo>::zeroed();
    // SAFETY: the decoder is alive, and `info` a value of plain numbers that it writes.
    let info = unsafe {
        sys::WebPAnimDecoderGetInfo(decoder.0, info.as_mut_ptr());
        info.assume_init()
    };
    if (info.canvas_width as usize, info.canvas_height as usize) != (width, height) {
        return Err(damaged());
    }
    let mut before = 0;
    // SAFETY: the decoder is alive.
    while unsafe { sys::WebPAnimDecoderHasMoreFrames(decoder.0) } != 0 {
        let (mut pixels, mut end) = (ptr::null_mut(), 0);
        // SAFETY: the decoder is alive, and writes a pointer and a number.
        let decoded = unsafe { sys::WebPAnimDecoderGetNext(decoder.0, &mut pixels, &mut end) };
        if decoded == 0 || pixels.is_null() {
            return Err(damaged());
        }
        // SAFETY: the canvas has height rows of width pixels of four bytes until the next frame is asked for.
        let pixels = unsafe { slice::from_raw_parts(pixels, width * height * 4) };
        let raster = Raster::new(Layout::Rgba, width, height, pixels.to_vec());
        show(raster, u32::try_from(end - before).unwrap_or(0))?;
        before = end;
    }
    Ok(())
}

/// Writes an animation, to which frames are added one after the other.
pub(in crate::optimize) struct Animator<'a> {
    encoder: *mut sys::WebPAnimEncoder,
    config: sys::WebPConfig,
    width: usize,
    height: usize,
    /// When the frames that were added end, in milliseconds.
    end: c_int,
    /// What libwebp is given to call; the encoder keeps a pointer to it.
    progress: Box<Progress<'a>>,
}

struct Progress<'a> {
    budget: &'a Budget<'a>,
    stopped: Option<OptimizeError>,
}

/// Returns 0 to stop the encoder.
unsafe extern "C" fn progress(_percent: c_int, picture: *const sys::WebPPicture) -> c_int {
    // SAFETY: `user_data` points to the box of the animator, which outlives its encoder and which nothing else
    // refers to meanwhile.
    let progress = unsafe { &mut *(*picture).user_data.cast::<Progress<'_>>() };
    match progress.budget.check_time() {
        Ok(()) => 1,
        Err(error) => {
            progress.stopped = Some(error);
            0
        }
    }
}

impl Drop for Animator<'_> {
    fn drop(&mut self) {
        // SAFETY: made by WebPAnimEncoderNewInternal, deleted once; null is allowed.
        unsafe { sys::WebPAnimEncoderDelete(self.encoder) }
    }
}

impl<'a> Animator<'a> {
    /// An animation of this size that is played so often, 0 for ever.
    pub(in crate::optimize) fn new(
        (width, height): (u32, u32),
        plays: u32,
        options: &OptimizeOptions,
        budget: &'a Budget<'a>,
    ) -> Result<Self, OptimizeError> {
        let (width, height) = (width as usize, height as usize);
        if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
            return Err(too_large());
        }
        let mut config = sys::WebPConfig::new().map_err(|()| failed())?;
        if options.lossless {
            // SAFETY: `config` is initialised; level 6 is within 0 to 9.
            unsafe { sys::WebPConfigLosslessPreset(&mut config, 6) };
        } else {
            config.quality = options.quality.into();
            config.method = 4;
            config.alpha_quality = 100;
        }
        let mut settings = std::mem::MaybeUninit::<sys::WebPAnimEncoderOptions>::zeroed();
        let version = sys::WEBP_MUX_ABI_VERSION as c_int;
        // SAFETY: it writes `settings`, which are plain numbers.
        let known =
            unsafe { sys::WebPAnimEncoderOptionsInitInternal(settings.as_mut_ptr(), version) != 0 };
        if !known {
            return Err(failed());
        }
        // SAFETY: they were zero, and then initialised.
        let mut settings = unsafe { settings.assume_init() };
        // The format has 16 bits for it.
        settings.anim_params.loop_count = if plays > 65_535 { 0 } else { plays as c_int };
        // SAFETY: the size was checked, and `settings` are initialised.
        let encoder = unsafe {
            sys::WebPAnimEncoderNewInternal(width as c_int, height as c_int, &settings, version)
        };
        if encoder.is_null() {
            return Err(failed());
        }
        Ok(Self {
            encoder,
            config,
            width,
            height,
            end: 0,
            progress: Box::new(Progress {
                budget,
                stopped: None,
            }),
        })
    }

    /// Adds a frame of RGBA pixels that is shown so long.
    pub(in crate::optimize) fn add(
        &mut self,
        pixels: &[u8],
        milliseconds: u32,
    ) -> Result<(), OptimizeError> {
        if pixels.len() != self.width * self.height * 4 {
            return Err(failed());
        }

        /// Frees the pixels on every way out.
        struct Picture(sys::WebPPicture);
        impl Drop for Picture {
            fn drop(&mut self) {
                // SAFETY: it was initialised; freeing an empty one is allowed.
                unsafe { sys::WebPPictureFree(&mut self.0) }
            }
        }
        let mut picture = Picture(sys::WebPPicture::new().map_err(|()| failed())?);
        picture.0.use_argb = 1;
        (picture.0.width, picture.0.height) = (self.width as c_int, self.height as c_int);
        picture.0.progress_hook = Some(progress);
        picture.0.user_data = ptr::from_mut(&mut *self.progress).cast();
        let stride = (self.width * 4) as c_int;
        // SAFETY: the slice holds height rows of width * 4 bytes.
        let imported =
            unsafe { sys::WebPPictureImportRGBA(&mut picture.0, pixels.as_ptr(), stride) };
        if imported == 0 {
            return Err(failed());
        }
        // SAFETY: encoder, picture and config are initialised; `user_data` points into a box that the animator
        // keeps until its encoder is deleted.
        let added = unsafe {
            sys::WebPAnimEncoderAdd(self.encoder, &mut picture.0, self.end, &self.config)
        };
        self.check(added)?;
        let end = i64::from(self.end) + i64::from(milliseconds);
        self.end = c_int::try_from(end)
            .map_err(|_| OptimizeError::invalid("an animation that lasts for weeks"))?;
        Ok(())
    }

    /// Returns the file, with an EXIF block if there is one.
    pub(in crate::optimize) fn finish(
        mut self,
        exif: Option<&[u8]>,
    ) -> Result<Vec<u8>, OptimizeError> {
        if let Some(exif) = exif {
            let data = sys::WebPData {
                bytes: exif.as_ptr(),
                size: exif.len(),
            };
            // SAFETY: the name has four characters, and the data is copied.
            let set =
                unsafe { sys::WebPAnimEncoderSetChunk(self.encoder, c"EXIF".as_ptr(), &data, 1) };
            if set != sys::WebPMuxError::WEBP_MUX_OK {
                return Err(failed());
            }
        }

        /// Frees the file on every way out.
        struct File(sys::WebPData);
        impl Drop for File {
            fn drop(&mut self) {
                // SAFETY: libwebp allocated it, or it is null.
                unsafe { sys::WebPFree(self.0.bytes.cast_mut().cast()) }
            }
        }
        let mut file = File(sys::WebPData {
            bytes: ptr::null(),
            size: 0,
        });
        // SAFETY: without a picture it ends the last frame at this time; then the file is written to `file`.
        let written = unsafe {
            sys::WebPAnimEncoderAdd(self.encoder, ptr::null_mut(), self.end, ptr::null()) != 0
                && sys::WebPAnimEncoderAssemble(self.encoder, &mut file.0) != 0
        };
        self.check(c_int::from(written))?;
        if file.0.bytes.is_null() {
            return Err(failed());
        }
        // SAFETY: libwebp has written so many bytes there.
        Ok(unsafe { slice::from_raw_parts(file.0.bytes, file.0.size) }.to_vec())
    }

    fn check(&mut self, done: c_int) -> Result<(), OptimizeError> {
        match self.progress.stopped.take() {
            Some(error) => Err(error),
            None if done == 0 => Err(failed()),
            None => Ok(()),
        }
    }
}

fn failed() -> OptimizeError {
    OptimizeError::invalid("libwebp could not encode the animation")
}
