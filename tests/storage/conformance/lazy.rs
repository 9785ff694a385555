//! Variants that are made when somebody asks for them: by many callers, and by several stores, at once.

use futures_util::future::join_all;
use lablink_storage::{
    ImageStore, OptimizeOptions, Result, StoredImage, StoredVariant, Variant, optimize,
};

use super::place::{Place, listed};
use crate::common::images;

const POSTER: &str = "poster";

const CALLERS: usize = 32;

/// A store here whose lazy variant has at most `side` pixels a side.
fn lazy(place: &Place, side: u32) -> ImageStore {
    let options = OptimizeOptions::default().with_max_size(side, side);
    let poster = Variant::new(POSTER, options).expect("a valid name");
    let builder = place.builder().with_variant(poster.with_lazy(true));
    builder.build().expect("valid")
}

async fn uploaded(store: &ImageStore) -> StoredImage {
    let image = store.upload(images::jpeg(300, 200), ()).await;
    let image = image.expect("stored");
    assert!(image.variants.is_empty(), "nobody has asked for it");
    image
}

/// What all were answered, which has to be the same, and the one object beside the image.
async fn the_one(
    store: &ImageStore,
    image: &StoredImage,
    answers: Vec<Result<StoredVariant>>,
) -> StoredVariant {
    assert_eq!(answers.len(), CALLERS);
    let mut answers = answers.into_iter().map(|answer| answer.expect("made"));
    let first = answers.next().expect("an answer");
    for other in answers {
        assert_eq!(other, first);
    }
    let mut expected = [image.key.to_string(), first.key.to_string()];
    expected.sort();
    assert_eq!(listed(store).await, expected);
    let there = store.get(&first.key).await.expect("there");
    assert_eq!(
        (there.info.e_tag, there.info.size),
        (first.e_tag.clone(), first.size)
    );
    let whole = optimize(&there.bytes, &OptimizeOptions::default()).expect("whole");
    assert_eq!((whole.width, whole.height), (first.width, first.height));
    first
}

pub async fn many_callers_make_one_variant(place: &Place) {
    let store = lazy(place, 40);
    let image = uploaded(&store).await;
    let calls = (0..CALLERS).map(|_| store.ensure_variant(&image.key, POSTER));
    let made = the_one(&store, &image, join_all(calls).await).await;
    assert_eq!((made.width, made.height), (40, 27));
    // Once more, when it is there.
    let calls = (0..CALLERS).map(|_| store.ensure_variant(&image.key, POSTER));
    assert_eq!(the_one(&store, &image, join_all(calls).await).await, made);
}

/// Two processes during a deployment: they have the variant in another size each, so it shows whose it is.
pub async fn two_stores_at_once_answer_with_the_first(place: &Place) {
    let stores = [lazy(place, 40), lazy(place, 48)];
    let image = uploaded(&stores[0]).await;
    let calls = (0..CALLERS).map(|caller| stores[caller % 2].ensure_variant(&image.key, POSTER));
    let made = the_one(&stores[0], &image, join_all(calls).await).await;
    let size = (made.width, made.height);
    assert!([(40, 27), (48, 32)].contains(&size), "{size:?}");
    for store in &stores {
        let again = store.ensure_variant(&image.key, POSTER).await;
        assert_eq!(again.expect("there"), made);
    }
}
