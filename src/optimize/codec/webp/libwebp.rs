//! The only unsafe code of the optimizer: calls into libwebp, for lossy WebP in and out.
//!
//! Why libwebp: no Rust encoder for lossy WebP exists, and its decoder writes Y'CbCr planes, which saves two
//! colour conversions. Every pointer handed over comes from a slice that outlives the call, every size is
//! checked here first, and whatever libwebp allocates is freed by a guard.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use libwebp_sys as sys;

use crate::optimize::OptimizeError;

/// The longest side that WebP can hold (RFC 9649, section 2.4).
pub(super) const MAX_SIDE: usize = 16_383;

/// What a picture is decoded into.
pub(super) enum Target<'a> {
    /// Planes of width x height, and twice half of each, rounded up: limited-range BT.601.
    Yuv(&'a mut [Vec<u8>; 3]),
    /// Red, green, blue, alpha; colour not multiplied by alpha.
    Rgba(&'a mut Vec<u8>),
    /// Red, green, blue.
    Rgb(&'a mut Vec<u8>),
}

/// Decodes a WebP file without animation, of exactly this size. `tick` is
/// called between portions of the data and can stop the decoder by an error. Returns whether the picture is
/// whole; otherwise the rest of it is zero.
pub(super) fn decode(
    file: &[u8],
    width: usize,
    height: usize,
    target: Target<'_>,
    tick: &mut dyn FnMut() -> Result<(), OptimizeError>,
) -> Result<bool, OptimizeError> {
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(OptimizeError::invalid("a WebP of an impossible size"));
    }
    let mut config = sys::WebPDecoderConfig::new()
        .map_err(|()| OptimizeError::invalid("libwebp has another version"))?;
    // SAFETY: `file` is a live slice; libwebp reads at most its length and writes `config.input`.
    let status = unsafe {
        sys::WebPGetFeaturesInternal(
            file.as_ptr(),
            file.len(),
            &mut config.input,
            sys::WEBP_DECODER_ABI_VERSION as c_int,
        )
    };
    let size = (config.input.width, config.input.height);
    if status != sys::VP8StatusCode::VP8_STATUS_OK || size != (width as c_int, height as c_int) {
        return Err(OptimizeError::invalid(
            "damaged WebP: its header is not valid",
        ));
    }
    point_at(&mut config.output, target, width, height);

    /// Deletes the decoder on every way out.
    struct Decoder(*mut sys::WebPIDecoder);
    impl Drop for Decoder {
        fn drop(&mut self) {
            // SAFETY: made by WebPIDecode, deleted once; null is allowed.
            unsafe { sys::WebPIDelete(self.0) }
        }
    }
    // SAFETY: `config` and the buffers it points to outlive the decoder, which is dropped at the end of this
    // function; strides and sizes are those of the buffers.
    let decoder = Decoder(unsafe { sys::WebPIDecode(ptr::null(), 0, &mut config) });
    if decoder.0.is_null() {
        return Err(OptimizeError::invalid(
            "damaged WebP: its header is not valid",
        ));
    }
    // Sixteen portions, so that the clock is looked at while a large picture decodes.
    let portion = (file.len() / 16).max(1 << 16);
    let mut given = 0;
    while given < file.len() {
        given = (given + portion).min(file.len());
        // SAFETY: the first `given` bytes of a live slice; every call passes the same start, as required.
        let status = unsafe { sys::WebPIUpdate(decoder.0, file.as_ptr(), given) };
        match status {
            sys::VP8StatusCode::VP8_STATUS_OK => return Ok(true),
            sys::VP8StatusCode::VP8_STATUS_SUSPENDED => tick()?,
            sys::VP8StatusCode::VP8_STATUS_NOT_ENOUGH_DATA => break,
            status => {
                return Err(OptimizeError::invalid(match status {
                    sys::VP8StatusCode::VP8_STATUS_OUT_OF_MEMORY => "no memory to decode the WebP",
                    _ => "damaged WebP: its image data does not decode",
                }));
            }
        }
    }
    Ok(false)
}

/// Makes room in the target and has libwebp write there.
fn point_at(output: &mut sys::WebPDecBuffer, target: Target<'_>, width: usize, height: usize) {
    output.width = width as c_int;
    output.height = height as c_int;
    output.is_external_memory = 1;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    match target {
        Target::Yuv([y, u, v]) => {
            y.resize(width * height, 0);
            u.resize(half_width * half_height, 0);
            v.resize(half_width * half_height, 0);
            output.colorspace = sys::WEBP_CSP_MODE::MODE_YUV;
            output.u.YUVA = sys::WebPYUVABuffer {
                y: y.as_mut_ptr(),
                u: u.as_mut_ptr(),
                v: v.as_mut_ptr(),
                a: ptr::null_mut(),
                y_stride: width as c_int,
                u_stride: half_width as c_int,
                v_stride: half_width as c_int,
                a_stride: 0,
                y_size: y.len(),
                u_size: u.len(),
                v_size: v.len(),
                a_size: 0,
            };
        }
        Target::Rgba(data) => {
            data.resize(width * height * 4, 0);
            output.colorspace = sys::WEBP_CSP_MODE::MODE_RGBA;
            output.u.RGBA = packed(data, width * 4);
        }
        Target::Rgb(data) => {
            data.resize(width * height * 3, 0);
            output.colorspace = sys::WEBP_CSP_MODE::MODE_RGB;
            output.u.RGBA = packed(data, width * 3);
        }
    }
}

fn packed(data: &mut [u8], stride: usize) -> sys::WebPRGBABuffer {
    sys::WebPRGBABuffer {
        rgba: data.as_mut_ptr(),
        stride: stride as c_int,
        size: data.len(),
    }
}

/// Pixels to encode, rows without gaps.
pub(super) enum Input<'a> {
    /// Limited-range BT.601, chroma halved and rounded up.
    Yuv([&'a [u8]; 3]),
    Rgb(&'a [u8]),
    Rgba(&'a [u8]),
}

/// What the encoder is given to call as it goes on, and the error that made it stop.
struct Progress<'a> {
    tick: &'a mut dyn FnMut() -> Result<(), OptimizeError>,
    stopped: Option<OptimizeError>,
}

/// Returns 0 to stop the encoder.
unsafe extern "C" fn progress(_percent: c_int, picture: *const sys::WebPPicture) -> c_int {
    // SAFETY: libwebp passes on the picture that `encode` gave it, whose `user_data` points to a `Progress`
    // that outlives the call and that nothing else refers to meanwhile.
    let progress = unsafe { &mut *(*picture).user_data.cast::<Progress<'_>>() };
    match (progress.tick)() {
        Ok(()) => 1,
        Err(error) => {
            progress.stopped = Some(error);
            0
        }
    }
}

/// Encodes at `quality` 0 to 100, method 4; or without loss. `tick` is called now and then and can stop the
/// encoder by an error.
pub(super) fn encode(
    input: &Input<'_>,
    width: usize,
    height: usize,
    quality: u8,
    lossless: bool,
    tick: &mut dyn FnMut() -> Result<(), OptimizeError>,
) -> Result<Vec<u8>, OptimizeError> {
    if width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE {
        return Err(too_large());
    }
    let failed = || OptimizeError::invalid("libwebp could not encode the image");
    let mut config = sys::WebPConfig::new().map_err(|()| failed())?;
    if lossless {
        // SAFETY: `config` is initialised; level 6 is within 0 to 9.
        unsafe { sys::WebPConfigLosslessPreset(&mut config, 6) };
    } else {
        config.quality = quality.into();
        config.method = 4;
        // Alpha is always lossless; method 4 and one filter are quick.
        config.alpha_quality = 100;
    }

    /// Frees the picture and what was written on every way out.
    struct Work {
        picture: sys::WebPPicture,
        writer: sys::WebPMemoryWriter,
    }
    impl Drop for Work {
        fn drop(&mut self) {
            // SAFETY: both were initialised; freeing an empty one is allowed.
            unsafe {
                sys::WebPPictureFree(&mut self.picture);
                sys::WebPMemoryWriterClear(&mut self.writer);
            }
        }
    }
    let picture = sys::WebPPicture::new().map_err(|()| failed())?;
    let mut writer = std::mem::MaybeUninit::uninit();
    // SAFETY: WebPMemoryWriterInit sets every field.
    let writer = unsafe {
        sys::WebPMemoryWriterInit(writer.as_mut_ptr());
        writer.assume_init()
    };
    let mut work = Box::new(Work { picture, writer });
    work.picture.width = width as c_int;
    work.picture.height = height as c_int;
    work.picture.use_argb = c_int::from(lossless);

    if !import(&mut work.picture, input, width, height) {
        return Err(failed());
    }
    work.picture.writer = Some(sys::WebPMemoryWrite);
    work.picture.custom_ptr = ptr::from_mut(&mut work.writer).cast();
    let mut state = Progress {
        tick,
        stopped: None,
    };
    work.picture.progress_hook = Some(progress);
    work.picture.user_data = ptr::from_mut(&mut state).cast();
    // SAFETY: picture and config are initialised; `custom_ptr` points into the box, which does not move;
    // `user_data` to `state`, which is not used before the encoder is done.
    let encoded = unsafe { sys::WebPEncode(&config, &mut work.picture) };
    if let Some(error) = state.stopped {
        return Err(error);
    }
    if encoded == 0 || work.writer.mem.is_null() {
        return Err(failed());
    }
    // SAFETY: the writer holds `size` initialised bytes at `mem` until it is cleared.
    Ok(unsafe { std::slice::from_raw_parts(work.writer.mem, work.writer.size) }.to_vec())
}

/// Gives libwebp the pixels; `false` where they are not of that size, or for lack of memory.
fn import(picture: &mut sys::WebPPicture, input: &Input<'_>, width: usize, height: usize) -> bool {
    let imported = match *input {
        Input::Yuv([y, u, v]) => {
            let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
            let chroma = half_width * half_height;
            if y.len() != width * height || u.len() != chroma || v.len() != chroma {
                return false;
            }
            // The encoder only reads these planes, and WebPPictureFree does not free what it did not allocate.
            picture.y = y.as_ptr().cast_mut();
            picture.u = u.as_ptr().cast_mut();
            picture.v = v.as_ptr().cast_mut();
            picture.y_stride = width as c_int;
            picture.uv_stride = half_width as c_int;
            1
        }
        Input::Rgb(data) if data.len() == width * height * 3 => {
            // SAFETY: the slice holds height rows of width * 3 bytes.
            unsafe { sys::WebPPictureImportRGB(picture, data.as_ptr(), (width * 3) as c_int) }
        }
        Input::Rgba(data) if data.len() == width * height * 4 => {
            // SAFETY: the slice holds height rows of width * 4 bytes.
            unsafe { sys::WebPPictureImportRGBA(picture, data.as_ptr(), (width * 4) as c_int) }
        }
        _ => 0,
    };
    imported != 0
}

pub(super) fn too_large() -> OptimizeError {
    OptimizeError::InvalidOption {
        name: "max_width, max_height",
        reason: format!("WebP holds at most {MAX_SIDE} pixels a side"),
    }
}
