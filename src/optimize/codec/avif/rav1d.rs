//! The only unsafe code of AVIF: calls into rav1d, whose interface is that of the C library dav1d.
//!
//! Every pointer handed over is to a local value that outlives the call, and what rav1d allocates is freed by a
//! guard. It runs on the calling thread alone.
#![allow(unsafe_code)]

use std::ffi::c_uint;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dLogger, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture,
    dav1d_open, dav1d_picture_unref, dav1d_send_data,
};

use crate::optimize::OptimizeError;
use crate::optimize::codec::heif::{CodePoints, Coded, Plane, Samples};

/// Decodes the first picture of a stream that shows, of at most `max_pixels`, with its film grain.
pub(super) fn decode(
    stream: &[u8],
    operating_point: u8,
    max_pixels: u32,
) -> Result<Coded, OptimizeError> {
    let decoder = Decoder::open(operating_point, max_pixels)?;
    let mut data = Data::copy(stream)?;
    let mut picture = Picture(Dav1dPicture::default());
    // SAFETY: the decoder is open, and `data` was filled by rav1d; it takes what is in it, or leaves it.
    let sent = unsafe { dav1d_send_data(decoder.0, Some(NonNull::from(&mut data.0))) };
    if sent.0 != 0 {
        return Err(damaged());
    }
    // SAFETY: the decoder is open, and `picture` is a value that rav1d writes.
    let received = unsafe { dav1d_get_picture(decoder.0, Some(NonNull::from(&mut picture.0))) };
    if received.0 != 0 {
        return Err(damaged());
    }
    picture.to_coded()
}

fn damaged() -> OptimizeError {
    OptimizeError::invalid("damaged AVIF: its picture does not decode")
}

/// A decoder, closed in the end.
struct Decoder(Option<Dav1dContext>);

impl Decoder {
    fn open(operating_point: u8, max_pixels: u32) -> Result<Self, OptimizeError> {
        let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: rav1d writes all of it.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0;
        settings.operating_point = i32::from(operating_point & 31);
        settings.frame_size_limit = max_pixels;
        // SAFETY: without a function there is none that could be wrong to call. It would print.
        settings.logger = unsafe { Dav1dLogger::new(None, None) };
        let mut decoder = Self(None);
        // SAFETY: both are live values; rav1d reads the one and writes the other.
        let opened = unsafe {
            dav1d_open(
                Some(NonNull::from(&mut decoder.0)),
                Some(NonNull::from(&mut settings)),
            )
        };
        if opened.0 != 0 {
            return Err(OptimizeError::invalid("the AV1 decoder did not start"));
        }
        Ok(decoder)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: it is open, or `None`, which closing ignores.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) }
    }
}

/// Bytes that rav1d owns.
struct Data(Dav1dData);

impl Data {
    fn copy(stream: &[u8]) -> Result<Self, OptimizeError> {
        let mut data = Self(Dav1dData::default());
        if stream.is_empty() {
            return Err(damaged());
        }
        // SAFETY: rav1d allocates as many bytes as the stream has, and nothing else points to them.
        unsafe {
            let copy = dav1d_data_create(Some(NonNull::from(&mut data.0)), stream.len());
            if copy.is_null() {
                return Err(damaged());
            }
            copy.copy_from_nonoverlapping(stream.as_ptr(), stream.len());
        }
        Ok(data)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: it holds what rav1d put there, or nothing.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) }
    }
}

/// A picture that rav1d owns.
struct Picture(Dav1dPicture);

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: it holds what rav1d put there, or nothing.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) }
        // It leaves an empty list of metadata behind, allocated anew: little, but it splits what was freed around it,
        // and a process grew by a quarter of a megabyte with each picture.
        if let Some(left) = self.0.itut_t35_ref.take() {
            // SAFETY: rav1d has just put it there, and nothing else points to it.
            drop(unsafe { left.into_arc() });
        }
    }
}

impl Picture {
    fn to_coded(&self) -> Result<Coded, OptimizeError> {
        let picture = &self.0.p;
        let size = u32::try_from(picture.w)
            .ok()
            .zip(u32::try_from(picture.h).ok());
        let (width, height) = size.filter(|&(w, h)| w > 0 && h > 0).ok_or_else(damaged)?;
        let depth = u8::try_from(picture.bpc).map_err(|_| damaged())?;
        let sampling = match picture.layout {
            DAV1D_PIXEL_LAYOUT_I420 => (2, 2),
            DAV1D_PIXEL_LAYOUT_I422 => (2, 1),
            _ => (1, 1),
        };
        let mut planes = vec![self.plane(0, width, height, depth)?];
        if picture.layout != DAV1D_PIXEL_LAYOUT_I400 {
            let (width, height) = (width.div_ceil(sampling.0), height.div_ceil(sampling.1));
            planes.push(self.plane(1, width, height, depth)?);
            planes.push(self.plane(2, width, height, depth)?);
        }
        let header = self.0.seq_hdr.ok_or_else(damaged)?;
        // SAFETY: the picture keeps its sequence header alive.
        let header = unsafe { header.as_ref() };
        Ok(Coded {
            planes,
            sampling,
            points: CodePoints {
                primaries: header.pri as u8,
                transfer: header.trc as u8,
                matrix: header.mtrx as u8,
                full_range: header.color_range != 0,
            },
        })
    }

    /// Copies a plane out, without the padding of its rows.
    fn plane(
        &self,
        index: usize,
        width: u32,
        height: u32,
        depth: u8,
    ) -> Result<Plane, OptimizeError> {
        let data = self.0.data[index].ok_or_else(damaged)?;
        let stride = self.0.stride[index.min(1)];
        let bytes = if depth > 8 { 2 } else { 1 };
        let (columns, rows) = (width as usize, height as usize);
        if !matches!(depth, 8..=12) || stride < (columns * bytes) as isize {
            return Err(damaged());
        }
        // SAFETY: rows of the plane begin `stride` bytes apart, `height` of them at least, and each has
        // `width` samples of one byte, or of two that are aligned, which rav1d has initialized.
        let row = |y: usize| unsafe { data.cast::<u8>().offset(y as isize * stride) };
        let samples = if depth > 8 {
            let row = |y| unsafe { slice::from_raw_parts(row(y).cast::<u16>().as_ptr(), columns) };
            Samples::Words((0..rows).flat_map(row).copied().collect())
        } else {
            let row = |y| unsafe { slice::from_raw_parts(row(y).as_ptr(), columns) };
            Samples::Bytes((0..rows).flat_map(row).copied().collect())
        };
        Ok(Plane {
            width,
            height,
            depth,
            samples,
        })
    }
}

/// So that a limit of pixels is one of rav1d, too, where 0 is none.
pub(super) fn pixels(width: u32, height: u32) -> u32 {
    c_uint::try_from(u64::from(width) * u64::from(height)).unwrap_or(c_uint::MAX)
}
