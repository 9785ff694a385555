//! Animations give their first frame or are refused.

use std::time::Duration;

use lablink_storage::{Animation, Limits, OptimizeError, OptimizeOptions, OutputFormat};

use super::{contains, lossless, noise, paint, refused, run, seen, webp};

const RED: [u8; 3] = [210, 30, 30];
const BLUE: [u8; 3] = [30, 30, 210];

fn gif() -> Vec<u8> {
    let mut bytes = Vec::new();
    let palette = [RED, BLUE, [0, 255, 0]].concat();
    let mut encoder = gif::Encoder::new(&mut bytes, 20, 10, &palette).expect("a header");
    for index in [0, 1, 1] {
        let mut frame = gif::Frame::from_indexed_pixels(16, 8, vec![index; 16 * 8], Some(2));
        (frame.left, frame.top) = (4, 2);
        encoder.write_frame(&frame).expect("a frame");
    }
    drop(encoder);
    bytes
}

/// An APNG whose still image is its first frame, or with another still image in front of two frames.
fn apng() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 20, 10);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(3, 0).expect("frames");
    let mut writer = encoder.write_header().expect("a header");
    for color in [RED, BLUE, BLUE] {
        let pixels = paint(20, 10, |_, _| color);
        writer.write_image_data(&pixels).expect("a frame");
    }
    writer.finish().expect("the end");
    bytes
}

fn u24(value: u32) -> [u8; 3] {
    let [low, middle, high, _] = value.to_le_bytes();
    [low, middle, high]
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = kind.to_vec();
    chunk.extend_from_slice(&(data.len() as u32).to_le_bytes());
    chunk.extend_from_slice(data);
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

/// An animated WebP of 20 x 10 pixels, its frames at 4, 2 (RFC 9649, section 2.7.1).
fn animated_webp() -> Vec<u8> {
    let mut chunks = chunk(b"VP8X", &[&[0x12, 0, 0, 0][..], &u24(19), &u24(9)].concat());
    chunks.extend(chunk(b"ANIM", &[0; 6]));
    for color in [RED, BLUE, BLUE] {
        let still = webp(16, 8, false, &paint(16, 8, |_, _| color), |_| ());
        // Half the offsets, the size less one, milliseconds.
        let mut frame = [2, 1, 15, 7, 100].map(u24).concat();
        frame.push(0);
        frame.extend_from_slice(&still[12..]);
        chunks.extend(chunk(b"ANMF", &frame));
    }
    chunk(b"RIFF", &[b"WEBP", &chunks[..]].concat())
}

#[test]
fn the_first_frame_is_the_image_and_the_others_are_counted() {
    for (name, bytes, placed) in [
        ("GIF", gif(), true),
        ("APNG", apng(), false),
        ("WebP", animated_webp(), true),
    ] {
        let image = run(&bytes, &lossless());
        assert_eq!((image.width, image.height), (20, 10), "{name}");
        let source = &image.source;
        assert_eq!((source.frames, source.frames_dropped), (3, 2), "{name}");
        let seen = seen(&image);
        let [red, green, blue] = RED;
        for (x, y) in [(4, 2), (19, 9), (10, 5)] {
            assert_eq!(seen.at(x, y), [red, green, blue, 255], "{name} at {x}, {y}");
        }
        if placed {
            assert_eq!(
                seen.at(0, 0)[3],
                0,
                "{name}: around the frame it is transparent"
            );
        }
    }
}

#[test]
fn an_animation_is_refused_where_that_is_asked_for() {
    let options = OptimizeOptions::default().with_animation(Animation::Reject);
    for bytes in [gif(), apng(), animated_webp()] {
        let error = refused(&bytes, &options);
        assert!(
            matches!(error, OptimizeError::InvalidImage { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains("3 frames"), "{error}");
    }
    let still = webp(16, 8, false, &paint(16, 8, |_, _| RED), |_| ());
    let image = run(&still, &options);
    assert_eq!((image.source.frames, image.source.frames_dropped), (1, 0));
}

/// The frames of an animated WebP, each with where it stands and its time.
fn frames(webp: &[u8]) -> Vec<&[u8]> {
    let (mut at, mut frames) = (12, Vec::new());
    while let Some(header) = webp.get(at..at + 8) {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if header.starts_with(b"ANMF") {
            frames.push(&webp[at + 8..at + 8 + length]);
        }
        at += 8 + length.next_multiple_of(2);
    }
    frames
}

#[test]
fn an_animated_webp_that_would_grow_is_kept_without_its_metadata() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 48);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(3, 0).expect("frames");
    let mut writer = encoder.write_header().expect("a header");
    let mut pixels = noise(64, 48);
    for _ in 0..3 {
        pixels.rotate_left(64 * 3 * 5);
        writer.write_image_data(&pixels).expect("a frame");
    }
    writer.finish().expect("the end");
    let keep = OptimizeOptions::default()
        .with_format(OutputFormat::WebP)
        .with_animation(Animation::Keep);
    let poor = run(&bytes, &keep.clone().with_quality(10)).data;
    assert_eq!(frames(&poor).len(), 3);

    let with_more = chunk(b"RIFF", &[&poor[8..], &chunk(b"XMP ", b"SECRET")].concat());
    let kept = run(&with_more, &keep);
    assert_eq!(frames(&kept.data), frames(&poor), "bit by bit");
    assert!(kept.data.len() <= poor.len(), "{} bytes", kept.data.len());
    assert!(!contains(&kept.data, b"SECRET"));
    assert_eq!((kept.source.frames, kept.source.frames_dropped), (3, 0));

    // What hides behind the picture of a frame does not stay.
    let last = frames(&poor)[2];
    let [hidden, filler] = [&b"SECRET"[..], &[0x5a; 64]];
    let picture = [&last[24..], hidden, filler].concat();
    let longer = [&last[..16], &chunk(b"VP8 ", &picture)].concat();
    let before = poor.len() - last.len() - 8;
    let smuggler = [&poor[8..before], &chunk(b"ANMF", &longer)].concat();
    let made = run(&chunk(b"RIFF", &smuggler), &keep);
    assert_eq!(frames(&made.data).len(), 3);
    assert!(!contains(&made.data, b"SECRET"));

    // Nor is it kept where it does not fit.
    let smaller = run(&poor, &keep.with_max_size(32, 32));
    assert_eq!((smaller.width, smaller.height), (32, 24));
}

#[test]
fn limits_hold_for_all_frames_of_a_kept_animation() {
    let keep = OptimizeOptions::default()
        .with_format(OutputFormat::WebP)
        .with_animation(Animation::Keep);
    let limits = Limits::default;
    for (name, bytes) in [("GIF", gif()), ("APNG", apng()), ("WebP", animated_webp())] {
        let kept = run(
            &bytes,
            &keep.clone().with_limits(limits().with_max_frames(3)),
        );
        assert_eq!(kept.source.frames_dropped, 0, "{name}");
        for limits in [
            limits().with_max_frames(2),
            limits().with_max_pixels(199),
            limits().with_max_side(19),
            // The canvas alone has 800.
            limits().with_max_decode_bytes(2000),
            limits().with_max_duration(Duration::ZERO),
        ] {
            let error = refused(&bytes, &keep.clone().with_limits(limits));
            let is_limit = matches!(error, OptimizeError::LimitExceeded { .. });
            assert!(is_limit, "{name}: {error}");
        }
    }
}
