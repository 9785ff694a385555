//! An image that lies at a URL.

use super::image::StoredImage;
use super::options::UploadOptions;
use super::{ImageStore, traced};
use crate::error::Result;
use crate::fetch::Fetched;

impl ImageStore {
    /// Fetches an image from a URL, and stores it as [`upload`](Self::upload) does: what an application does
    /// with a URL that somebody typed.
    ///
    /// It is off unless hosts are allowed ([`with_fetch_hosts`](crate::ConfigBuilder::with_fetch_hosts)), and it
    /// never reaches into the network that the service stands in: only `http` and `https`, only public
    /// addresses, names resolved once and the connection made to the address that was looked at, every redirect
    /// (5 at most) checked like the first URL and never from `https` to `http`. Proxies and cookies take no part.
    /// The fetch has the store's deadline, and no more bytes are read than an upload may have.
    ///
    /// The options' filename is by default the one that the URL ends with.
    ///
    /// ```no_run
    /// # async fn example() -> lablink_storage::Result<()> {
    /// use lablink_storage::ImageStore;
    ///
    /// let store = ImageStore::builder().local("uploads").with_fetch_hosts(["*.example.org"]).build()?;
    /// let image = store.upload_from_url("https://photos.example.org/board.jpg", ()).await?;
    /// println!("{} ({} x {})", image.url, image.width, image.height);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `NotSupported` where no host is allowed; `PolicyViolation`, in one wording, for what may not be fetched;
    /// `LimitExceeded` for too many bytes; `Unavailable` or `Timeout` where the other server is the cause; and
    /// all that an upload fails with.
    pub async fn upload_from_url(
        &self,
        url: &str,
        options: impl Into<UploadOptions>,
    ) -> Result<StoredImage> {
        let mut options = options.into();
        let limits = options.optimize.as_ref().map(|optimize| &optimize.limits);
        let most = limits.map(|limits| limits.max_bytes);
        let fetched = self.fetch(url, most).await?;
        options.filename = options.filename.or(fetched.filename);
        self.upload(fetched.bytes, options).await
    }

    /// Fails where a URL may not be fetched, as far as the URL itself says.
    #[cfg(feature = "ops")]
    pub(crate) fn may_fetch(&self, url: &str) -> Result<()> {
        let hosts = &self.inner.config.fetch_hosts;
        self.inner.fetcher.check(url, hosts).map(drop)
    }

    /// Fetches an image, within the store's own limit unless another is given.
    pub(crate) async fn fetch(&self, url: &str, most: Option<u64>) -> Result<Fetched> {
        traced(tracing::info_span!("fetch"), async {
            let config = &self.inner.config;
            let most = most.unwrap_or(config.optimize().limits.max_bytes);
            let deadline = self.inner.backend.deadline();
            let fetcher = &self.inner.fetcher;
            fetcher
                .fetch(url, &config.fetch_hosts, most, deadline)
                .await
        })
        .await
    }
}
