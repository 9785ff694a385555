//! Direct uploads without S3: the application receives the form that a store of its own signed.

use bytes::Bytes;

use super::image::ReceivedPost;
use super::{ImageStore, traced, traced_at_once};
use crate::backend::PutOptions;
use crate::error::{Error, Result};
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::sign::{PostForm, PostVerifier, ResponseHeaders, check_post, check_post_fields};

impl ImageStore {
    /// Takes a form that this store's [`presigned_post`](Self::presigned_post) allowed, and stores its
    /// file under the form's key, holding it to the very policy that S3 would: signature, expiry, key,
    /// content type, size and unlisted fields.
    ///
    /// `fields` are the form's fields except the file. As on S3, the bytes are not looked at: that is what
    /// [`promote`](Self::promote) is for. Only a store with an [`Inspector`](crate::Inspector) asks it about the
    /// image here, too, before anything is written.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, PresignPostOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// # let photo = std::fs::read("examples/photo.jpg")?;
    /// let post = store.presigned_post("board.jpg", PresignPostOptions::default()).await?;
    /// let received = store.receive_post(post.fields.clone(), photo.clone()).await?;
    /// assert_eq!((received.key, received.status), (post.key, 201));
    ///
    /// let extra = post.fields.into_iter().chain([("acl".to_owned(), "public-read".to_owned())]);
    /// let error = store.receive_post(extra, photo).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::PolicyViolation);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `PolicyViolation` saying which condition failed; `NotSupported` on S3 and without a secret; with an
    /// inspector its refusal, and `InvalidImage` for what it could not be shown; and the kinds of the backend.
    pub async fn receive_post(
        &self,
        fields: impl IntoIterator<Item = (String, String)>,
        file: impl Into<Bytes>,
    ) -> Result<ReceivedPost> {
        let (fields, file): (Vec<_>, Bytes) = (fields.into_iter().collect(), file.into());
        let span = tracing::info_span!(
            "receive_post",
            bytes = file.len(),
            key = tracing::field::Empty,
        );
        traced(span, async {
            let signer = self.inner.signers.local()?;
            let form = PostForm::new(&fields, file.len() as u64);
            let verifier = PostVerifier::Local(signer);
            let accepted = check_post(&form, &verifier, self.inner.sources.now())?;
            tracing::Span::current().record("key", accepted.key.as_str());
            if !accepted.key.is_pending() {
                self.inner.refuse_unseen()?;
            }
            let format = accepted
                .content_type
                .as_deref()
                .and_then(ImageFormat::from_mime_type)
                .ok_or(Error::internal("a form was signed without a content type"))?;
            let options = PutOptions {
                content_type: format.mime_type().into(),
                cache_control: self.inner.config.cache_control().to_owned(),
                // As S3 does: until it expires the form can be used again.
                create: false,
            };
            // A form has the file's name no longer, and nobody's word on it.
            self.inspect_copy(&file, None).await?;
            let size = file.len() as u64;
            let outcome = self
                .inner
                .backend
                .put(&accepted.key, file, &options)
                .await?;
            Ok(ReceivedPost {
                key: accepted.key,
                status: accepted.success_action_status,
                e_tag: outcome.e_tag,
                size,
            })
        })
        .await
    }

    /// Checks the fields of a form, everything but the file itself, and returns how many bytes the file may
    /// have: for a server that reads the file only once it knows that the form is signed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, PresignPostOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// let options = PresignPostOptions::default().with_max_bytes(5 << 20);
    /// let post = store.presigned_post("board.jpg", options).await?;
    /// assert_eq!(store.verify_post(&post.fields)?, 5 << 20);
    ///
    /// let error = store.verify_post(&post.fields[1..]).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::PolicyViolation);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `PolicyViolation` and `NotSupported`, as [`receive_post`](Self::receive_post).
    pub fn verify_post(&self, fields: &[(String, String)]) -> Result<u64> {
        traced_at_once(tracing::info_span!("verify_post"), || {
            let verifier = PostVerifier::Local(self.inner.signers.local()?);
            let form = PostForm::new(fields, 0);
            Ok(check_post_fields(
                &form,
                &verifier,
                self.inner.sources.now(),
            )?)
        })
    }

    /// Checks the query of a signed GET that this store's [`presigned_get`](Self::presigned_get) gave,
    /// and answers with the headers that were signed into it. `None` if the query is not signed at all,
    /// which is how public images are fetched.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lablink_storage::{ErrorKind, ImageStore, ObjectKey, PresignGetOptions};
    ///
    /// let store = ImageStore::builder()
    ///     .memory()
    ///     .with_secret("0123456789abcdef0123456789abcdef")
    ///     .build()?;
    /// let key = ObjectKey::parse("components/board.png")?;
    /// let request = store.presigned_get(&key, PresignGetOptions::default()).await?;
    /// let (_, query) = request.url.split_once('?').expect("a signed URL has a query");
    /// assert!(store.verify_get(&key, query)?.is_some());
    /// assert!(store.verify_get(&key, "")?.is_none()); // not signed
    ///
    /// let other = ObjectKey::parse("components/other.png")?;
    /// assert_eq!(store.verify_get(&other, query).unwrap_err().kind(), ErrorKind::PolicyViolation);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `PolicyViolation` for a signature that does not hold for this key, now; `NotSupported` on S3 and
    /// without a secret.
    pub fn verify_get(&self, key: &ObjectKey, query: &str) -> Result<Option<ResponseHeaders>> {
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        if !crate::sign::LocalSigner::is_signed(&query) {
            return Ok(None);
        }
        traced_at_once(tracing::info_span!("verify_get", %key), || {
            let signer = self.inner.signers.local()?;
            let now = self.inner.sources.now();
            Ok(Some(signer.verify_get(key, &query, now)?))
        })
    }
}
