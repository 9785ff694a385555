//! Odd files are what Chromium shows of them: expected values are pixels of its canvas, unless a test says
//! where they come from.

use lablink_storage::{
    OptimizeError, OptimizeOptions, OutputFormat, optimize, optimize_with_variants,
};

use super::{
    Seen, contains, exif, fixture, lossless, noise, paint, png, png_with, refused, run, seen, to,
    with_chunk,
};

fn odd(name: &str) -> Vec<u8> {
    fixture(&format!("odd/{name}"))
}

fn shown(bytes: &[u8]) -> Seen {
    let by_webp = seen(&run(bytes, &lossless()));
    let by_png = seen(&run(bytes, &to(OutputFormat::Png)));
    assert_eq!(by_webp.pixels.len(), by_png.pixels.len());
    by_png
}

#[test]
fn an_animated_webp_s_small_first_frame_stands_where_it_belongs() {
    let seen = shown(&odd("anim_lossy_small_first.webp"));
    assert_eq!((seen.width, seen.height), (80, 60));
    assert_eq!(seen.at(2, 2)[3], 0);
    seen.assert_near(28, 22, [231, 21, 23, 255], 3);
}

#[test]
fn pq_and_hlg_are_mapped_to_the_light_of_a_screen() {
    let seen = shown(&odd("pq_white203.png"));
    seen.assert_near(255, 8, [187, 187, 187, 255], 1);
    seen.assert_near(128, 8, [92, 92, 92, 255], 1);
    let seen = shown(&odd("hlg_ramp.png"));
    seen.assert_near(128, 8, [99, 99, 99, 255], 1);
    seen.assert_near(255, 8, [255, 255, 255, 255], 1);
}

/// A ramp of 16 pixels, coded as `points` say, as Chromium 156 shows its pixels 2, 4, 8, 9, 10, 12 and 14.
#[track_caller]
fn assert_ramp(points: [u8; 4], light: Option<u32>, expected: [[u8; 3]; 7], color: bool) {
    let ramp = |x: u32| match color {
        true => [x as u8 * 16, 0x60, 255 - x as u8 * 16],
        false => [x as u8 * 16; 3],
    };
    let plain = png(16, 2, png::ColorType::Rgb, &paint(16, 2, |x, _| ramp(x)));
    let mut file = with_chunk(&plain, b"cICP", &points);
    if let Some(nits) = light {
        let levels = [nits * 10_000, nits * 5_000].map(u32::to_be_bytes);
        file = with_chunk(&file, b"cLLI", levels.as_flattened());
    }
    let seen = shown(&file);
    for (x, [red, green, blue]) in [2, 4, 8, 9, 10, 12, 14].into_iter().zip(expected) {
        seen.assert_near(x, 1, [red, green, blue, 255], 2);
    }
}

#[test]
fn the_curve_of_pq_depends_on_the_brightest_light() {
    let gray = |values: [u8; 7]| values.map(|value| [value; 3]);
    let expected = gray([5, 30, 132, 175, 213, 255, 255]);
    assert_ramp([9, 16, 0, 1], None, expected, false);
    assert_ramp([1, 16, 0, 1], None, expected, false);
    assert_ramp([9, 16, 0, 1], Some(1000), expected, false);
    let expected = gray([8, 39, 163, 214, 249, 255, 255]);
    assert_ramp([9, 16, 0, 1], Some(400), expected, false);
    let expected = gray([5, 30, 132, 175, 202, 226, 250]);
    assert_ramp([9, 16, 0, 1], Some(4000), expected, false);
    let expected = gray([14, 43, 99, 115, 135, 189, 228]);
    assert_ramp([9, 18, 0, 1], None, expected, false);
}

#[test]
fn bright_colours_keep_their_hue() {
    let expected = [
        [0, 3, 255],
        [0, 38, 255],
        [156, 56, 134],
        [213, 33, 96],
        [255, 0, 56],
        [255, 0, 0],
        [255, 0, 0],
    ];
    assert_ramp([9, 16, 0, 1], None, expected, true);
    let expected = [
        [0, 70, 220],
        [0, 73, 169],
        [107, 69, 97],
        [127, 67, 85],
        [150, 64, 72],
        [211, 49, 39],
        [255, 0, 0],
    ];
    assert_ramp([9, 18, 0, 1], None, expected, true);
}

#[test]
fn code_points_that_say_nothing_leave_the_profile_its_say() {
    let seen = shown(&odd("png_cicp_unspecified_iccp.png"));
    seen.assert_near(50, 30, [192, 183, 205, 255], 2);
    seen.assert_near(20, 20, [126, 152, 124, 255], 2);
}

#[test]
fn a_gamma_beside_chromaticities_is_taken_at_its_word() {
    let seen = shown(&odd("png_gama45455_chrm_dark.png"));
    seen.assert_near(20, 20, [5, 12, 4, 255], 1);
    seen.assert_near(50, 30, [27, 24, 33, 255], 1);
}

#[test]
fn the_first_frame_of_an_animation_counts_not_the_picture_for_those_who_cannot_animate() {
    let seen = shown(&odd("apng_hidden_default.png"));
    assert_eq!((seen.width, seen.height), (32, 32));
    for (x, y) in [(0, 0), (20, 20), (31, 31)] {
        assert_eq!(seen.at(x, y), [0, 0, 255, 255]);
    }
}

#[test]
fn transparency_that_the_webp_s_header_does_not_name_is_ignored() {
    let seen = shown(&odd("webp_alph_without_flag.webp"));
    seen.assert_near(2, 2, [9, 6, 148, 255], 3);
    seen.assert_near(50, 30, [85, 97, 168, 255], 6);
    assert!(seen.pixels.iter().all(|pixel| pixel[3] == 255));
}

#[test]
fn an_orientation_counts_before_the_image_data_and_with_its_checksum() {
    for (name, size) in [
        ("png_exif_after_idat.png", (90, 30)),
        ("png_bad_crc_exif6.png", (96, 64)),
    ] {
        let image = run(&odd(name), &to(OutputFormat::Png));
        assert_eq!((image.width, image.height), size, "{name}");
        assert_eq!(image.source.orientation, 1, "{name}");
    }
    let upright = png(30, 20, png::ColorType::Rgb, &noise(30, 20));
    let turned = with_chunk(&upright, b"eXIf", &exif(6));
    assert_eq!(run(&turned, &to(OutputFormat::Png)).width, 20);
}

#[test]
fn a_palette_that_ends_within_a_colour_is_one_without_it() {
    let seen = shown(&odd("png_plte_4_bytes.png"));
    assert_eq!(seen.pixels, [[0, 0, 0, 255]]);
}

#[test]
fn what_is_missing_behind_the_picture_makes_no_file_truncated() {
    assert_eq!(shown(&odd("webp_riff_size_is_file_size.webp")).width, 96);
    let seen = shown(&odd("gif_second_frame_cut.gif"));
    assert_eq!(
        (seen.width, seen.at(0, 0), seen.at(5, 5)),
        (16, [255, 0, 0, 255], [0, 0, 255, 255])
    );
    let whole = png(90, 90, png::ColorType::Rgb, &noise(90, 90));
    for missing in [1, 4, 12, 16] {
        let cut = &whole[..whole.len() - missing];
        let image = run(cut, &to(OutputFormat::Png));
        assert_eq!(
            seen_pixels(&image.data),
            seen_pixels(&whole),
            "{missing} bytes less"
        );
        assert!(image.data.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
    }
    // But a picture that is not whole is.
    let error = refused(&whole[..whole.len() - 400], &to(OutputFormat::Png));
    assert!(error.to_string().contains("truncated"), "{error}");
}

fn seen_pixels(png: &[u8]) -> Vec<[u8; 4]> {
    seen(&run(png, &lossless())).pixels
}

#[test]
fn an_interlaced_png_needs_no_end_either() {
    let pixels = noise(37, 23);
    let whole = fixture("odd/interlaced.png");
    let seen = shown(&whole);
    assert!(seen.pixels.iter().flat_map(|pixel| &pixel[..3]).eq(&pixels));
    assert_eq!(seen_pixels(&whole[..whole.len() - 12]), seen.pixels);
}

#[test]
fn gifs_that_browsers_show_are_shown() {
    assert_eq!(shown(&odd("gif_26_bytes.gif")).pixels, [[0; 4]]);
    let seen = shown(&odd("gif_screen_0x0.gif"));
    assert_eq!(
        (seen.width, seen.height, seen.at(0, 0)),
        (16, 16, [255, 0, 0, 255])
    );
    assert_eq!(seen.at(5, 5), [0, 0, 255, 255]);
    // Its second frame, the first one that has pixels, as Chromium's ImageDecoder has it.
    let seen = shown(&odd("gif_first_frame_0x0.gif"));
    assert_eq!((seen.width, seen.height), (160, 120));
    assert_eq!(seen.at(20, 20), [17, 17, 17, 255]);
    assert_eq!(seen.at(50, 30), [25, 25, 25, 255]);
}

/// The chunks of a PNG, whose checksums are looked at by the `png` crate, which refuses wrong ones.
fn assert_sound(png: &[u8]) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
    decoder.ignore_checksums(false);
    let mut reader = decoder.read_info().expect("a header");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("a picture");
    reader.finish().expect("sound chunks to the end");
}

#[test]
fn a_png_that_is_kept_opens_everywhere() {
    let image = run(&odd("png_bad_idat_crc.png"), &to(OutputFormat::Png));
    assert_sound(&image.data);
    // zlib's header: compression method 8, a window of 32 KiB, and a check.
    let image = run(&odd("png_kept_zlib_window.png"), &to(OutputFormat::Png));
    let data = image
        .data
        .windows(4)
        .position(|kind| kind == b"IDAT")
        .expect("data")
        + 4;
    assert_eq!(image.data[data], 0x78);
    assert_eq!(
        u16::from_be_bytes([image.data[data], image.data[data + 1]]) % 31,
        0
    );
    assert_sound(&image.data);
}

#[test]
fn bytes_in_the_padding_of_a_partition_are_not_kept() {
    const CANARY: &[u8] = b"CANARY_8c5e682bb2a1";
    let dirty = odd("smuggle_webp_vp8_first_partition_pad.webp");
    assert!(contains(&dirty, CANARY));
    let image = run(&dirty, &to(OutputFormat::WebP));
    assert!(!contains(&image.data, CANARY));
    assert_eq!(image.width, 320);
}

#[test]
fn no_message_quotes_a_library() {
    let whole = png(90, 90, png::ColorType::Rgb, &noise(90, 90));
    let mut damaged = whole.clone();
    damaged[200..260].fill(0xff);
    let lossy = run(&whole, &to(OutputFormat::WebP)).data;
    let mut files = vec![
        damaged,
        whole[..60].to_vec(),
        b"GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x0f\x02\x4c\x01\0;".to_vec(),
    ];
    files.push(lossy[..40].to_vec());
    for file in files {
        let error = refused(&file, &OptimizeOptions::default());
        let OptimizeError::InvalidImage { reason, .. } = &error else {
            panic!("{error:?}");
        };
        for foreign in [
            "panic",
            "mode",
            "Error",
            "fdeflate",
            "Format",
            "CRC",
            "0x",
            "libwebp",
            "bitstream",
        ] {
            assert!(!reason.contains(foreign), "{reason}");
        }
    }
}

#[test]
fn variants_carry_the_placeholder_of_the_main_image() {
    let source = png(96, 64, png::ColorType::Rgb, &noise(96, 64));
    let small = OptimizeOptions::default().with_max_size(20, 20);
    let options = OptimizeOptions::default();
    let (main, variants) = optimize_with_variants(&source, &options, &[small]).expect("images");
    assert_eq!(variants[0].placeholder, main.placeholder);
    assert_eq!(
        main.placeholder,
        optimize(&source, &options).expect("an image").placeholder
    );
}

#[test]
fn a_png_with_a_gamma_alone_of_srgb_stays_as_it_is() {
    let pixels = paint(16, 2, |x, _| [x as u8 * 16; 3]);
    let mut info = png::Info::with_size(16, 2);
    (info.color_type, info.bit_depth) = (png::ColorType::Rgb, png::BitDepth::Eight);
    info.source_gamma = Some(png::ScaledFloat::from_scaled(45_455));
    let seen = shown(&png_with(info, &pixels));
    assert_eq!(seen.at(2, 0), [32, 32, 32, 255]);
}
