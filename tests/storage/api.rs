//! What an application in Rust does with what the store gives it.

use lablink_storage::{
    ErrorKind, ImageStore, OptimizeOptions, PresignPostOptions, Result, StoredImage, Variant,
};

use crate::common::images;

fn store() -> Result<ImageStore> {
    // Every error of the crate becomes its one error.
    let thumb = Variant::new("thumb", OptimizeOptions::default().with_max_size(20, 20))?;
    ImageStore::builder()
        .memory()
        .with_secret("0123456789abcdef0123456789abcdef")
        .with_variant(thumb)
        .build()
}

#[tokio::test]
async fn an_image_goes_through_a_database_and_back() {
    let store = store().expect("valid");
    let image = store.upload(images::jpeg(60, 40), ()).await;
    let image = image.expect("stored");
    let row = serde_json::to_string(&image).expect("JSON");
    let back: StoredImage = serde_json::from_str(&row).expect("the same");
    assert_eq!(back, image);
    assert_eq!(back.content_type, "image/jpeg");
}

#[cfg(feature = "image")]
#[tokio::test]
async fn a_picture_in_memory_is_stored_as_a_file_would_be() {
    use lablink_storage::image::{DynamicImage, ImageBuffer, Rgba};

    // 16 bits, and transparent on the right, over the store's limit of bytes as a file.
    let left = |x: u32| if x < 150 { u16::MAX } else { 0 };
    let pixels = ImageBuffer::from_fn(300, 200, |x, _| Rgba([0xffff, 0x8000, 0, left(x)]));
    let limits = lablink_storage::Limits::default().with_max_bytes(10);
    let options = OptimizeOptions::default()
        .with_format(lablink_storage::OutputFormat::Png)
        .with_limits(limits);
    let upload = lablink_storage::UploadOptions::default().with_optimize(options);
    let store = store().expect("valid");
    let pixels = DynamicImage::ImageRgba16(pixels);
    let image = store.upload_image(&pixels, upload);
    let image = image.await.expect("stored");
    assert_eq!((image.width, image.height), (300, 200));
    assert_eq!(image.variants.len(), 1);
    let stored = store.get(&image.key).await.expect("there").bytes;
    let mut decoder = png::Decoder::new(std::io::Cursor::new(&stored[..]));
    // Of two colours it is a palette.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("a PNG");
    let mut row = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut row).expect("pixels");
    assert_eq!((&row[..4], row[4 * 299 + 3]), (&[255, 128, 0, 255][..], 0));

    let empty = store.upload_image(&DynamicImage::new_rgb8(0, 5), ()).await;
    assert_eq!(empty.expect_err("refused").kind(), ErrorKind::InvalidImage);
}

#[tokio::test]
async fn forms_are_signed_for_the_formats_that_this_build_reads() {
    use lablink_storage::ImageFormat;

    let store = store().expect("valid");
    for format in ImageFormat::ALL {
        let name = format!("photo.{}", format.extension());
        let post = store.presigned_post(&name, PresignPostOptions::default());
        let post = post.await.map_err(|error| error.kind());
        let expected = format.is_accepted().then_some(());
        let expected = expected.ok_or(ErrorKind::UnsupportedFormat);
        assert_eq!(post.map(|_| ()), expected, "{format}");
    }
}

#[tokio::test]
async fn a_form_is_json_as_a_page_wants_it() {
    let options = PresignPostOptions::default();
    let post = store()
        .expect("valid")
        .presigned_post("a.jpg", options)
        .await;
    let post = post.expect("signed");
    let json = serde_json::to_string(&post).expect("JSON");
    let value: serde_json::Value = serde_json::from_str(&json).expect("parsed");
    assert_eq!(value["key"], post.key.as_str());
    assert_eq!(value["file_url"], post.file_url.as_str());
    let until = value["expires_at"].as_str().expect("a time");
    assert!(
        until.ends_with('Z') && until.len() == "2026-11-26T00:00:00Z".len(),
        "{until}"
    );
    // The fields in their order, which a form keeps to.
    let places = post
        .fields
        .iter()
        .map(|(name, _)| json.find(&format!("{name:?}:")));
    let places: Option<Vec<usize>> = places.collect();
    assert!(places.expect("every field").is_sorted());
}

#[tokio::test]
async fn a_key_may_be_given_as_its_url() {
    let store = store().expect("valid");
    let image = store
        .upload(images::jpeg(60, 40), ())
        .await
        .expect("stored");
    assert!(store.exists(&image.url).await.expect("asked"));
    assert!(store.exists(image.key.as_str()).await.expect("asked"));
    let error = store
        .head("https://example.com/a.jpg")
        .await
        .expect_err("foreign");
    assert_eq!(error.kind(), ErrorKind::ForeignUrl);
    assert_eq!(store.list_all(None).await.expect("listed").len(), 2);
    store.delete(image.url).await.expect("deleted");
    assert_eq!(store.list_all(None).await.expect("listed"), []);
}

#[tokio::test]
async fn a_stream_brings_every_byte_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = ImageStore::builder().local(directory.path()).build();
    let store = store.expect("valid");
    // Longer than a piece, and no multiple of one.
    let bytes: Vec<u8> = (0..2_500_000_u32).map(|at| (at % 251) as u8).collect();
    let file = directory.path().join("components/a.jpg");
    std::fs::create_dir(directory.path().join("components")).expect("made");
    std::fs::write(&file, &bytes).expect("written");
    for range in [
        None,
        Some(0..7),
        Some(1_048_570..2_200_000),
        Some(2_499_999..9_999_999),
    ] {
        let mut object = store
            .get_stream("components/a.jpg", range.clone())
            .await
            .expect("there");
        assert_eq!(object.info.size, 2_500_000);
        let mut received = Vec::new();
        while let Some(piece) = object.next().await {
            let piece = piece.expect("read");
            assert!(piece.len() <= 1 << 20);
            received.extend_from_slice(&piece);
        }
        let range = range.unwrap_or(0..2_500_000);
        let end = range.end.min(2_500_000) as usize;
        assert!(received == bytes[range.start as usize..end], "{range:?}");
    }
    let beyond = store
        .get_stream("components/a.jpg", Some(2_500_000..2_500_001))
        .await;
    assert_eq!(beyond.expect_err("none").kind(), ErrorKind::InvalidArgument);

    // Whoever reads while it is replaced is told, and gets no mixture.
    let mut object = store
        .get_stream("components/a.jpg", None)
        .await
        .expect("there");
    object.next().await.expect("a piece").expect("read");
    let other = directory.path().join("components/b.jpg");
    std::fs::write(&other, &bytes).expect("written");
    std::fs::rename(other, file).expect("replaced");
    let error = object
        .next()
        .await
        .expect("an answer")
        .expect_err("another");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(object.next().await.is_none());
}
