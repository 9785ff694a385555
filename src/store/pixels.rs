//! Uploads of pictures that are in memory already.

use image::DynamicImage;

use super::image::StoredImage;
use super::{ImageStore, UploadOptions};
use crate::error::Result;
use crate::optimize::pixels::{of_any_size, to_png};

impl ImageStore {
    /// As [`upload`](Self::upload), of pixels in place of a file, as
    /// [`optimize_image`](crate::optimize_image) takes them. An original that is kept is a PNG.
    ///
    /// # Errors
    ///
    /// As [`upload`](Self::upload).
    pub async fn upload_image(
        &self,
        image: &DynamicImage,
        options: impl Into<UploadOptions>,
    ) -> Result<StoredImage> {
        let mut options = options.into();
        let configured = || self.inner.config.optimize().clone();
        let optimize = options.optimize.unwrap_or_else(configured);
        let (image, wanted) = (image.clone(), optimize.clone());
        let png = self
            .inner
            .work
            .run(move || to_png(&image, &wanted))
            .await??;
        options.optimize = Some(of_any_size(optimize));
        self.upload(png, options).await
    }
}
