//! Puts, heads, gets, lists and deletes a probe, on every backend.

use bytes::Bytes;
use futures_util::StreamExt;
use uuid::Uuid;

use super::{Examination, STEP};
use crate::backend::PutOptions;
use crate::error::Error;
use crate::format::ImageFormat;
use crate::key::ObjectKey;
use crate::kind::ErrorKind;

/// A grey pixel, PNG.
pub(super) const PROBE: &[u8] = b"\x89PNG\r\n\x1a\n\
\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3a\x7e\x9b\x55\
\x00\x00\x00\x0aIDAT\x78\xda\x63\x68\x00\x00\x00\x82\x00\x81\xda\x45\x08\x3b\
\x00\x00\x00\x00IEND\xae\x42\x60\x82";

/// The names of these checks, in order.
pub(super) const NAMES: [&str; 6] = ["put", "head", "get", "list", "create_only", "delete"];

/// Most keys of a long listing that are searched for the probe.
const LISTED: usize = 2000;

impl Examination<'_> {
    /// Writes a probe under the pending prefix, which is never served, and reads it back in every
    /// way. It answers with the probe's key, which stays until [`remove_probes`](Self::remove_probes).
    pub(super) async fn objects(&mut self) -> Option<ObjectKey> {
        let key = ObjectKey::for_pending(self.prefix(), Uuid::new_v4(), ImageFormat::Png);
        let key = match key {
            Ok(key) => key,
            Err(error) => {
                self.findings.failure("put", (&Error::from(error)).into());
                return None;
            }
        };
        if !self.put_probe("put", &key).await {
            self.findings
                .skip_all(&NAMES[1..], "nothing could be written");
            return None;
        }
        self.findings
            .ok("put", format!("wrote {} bytes to {key}", PROBE.len()));
        self.head(&key).await;
        self.get(&key).await;
        self.list(&key).await;
        self.create_only(&key).await;
        Some(key)
    }

    /// Writes the probe under `key` and remembers to remove it.
    pub(super) async fn put_probe(&mut self, name: &'static str, key: &ObjectKey) -> bool {
        let options = self.put_options();
        let put = self.backend().put(key, Bytes::from_static(PROBE), &options);
        match self.within(put).await {
            Ok(_) => {
                self.probes.push(key.clone());
                true
            }
            Err(trouble) => {
                self.findings.failure(name, trouble);
                // Even a put that failed may have arrived.
                let _ = self.within(self.backend().delete(key)).await;
                false
            }
        }
    }

    fn put_options(&self) -> PutOptions {
        PutOptions {
            content_type: ImageFormat::Png.mime_type().into(),
            cache_control: self.store.config().cache_control().to_owned(),
            create: self.store.config().create_only(),
        }
    }

    async fn head(&mut self, key: &ObjectKey) {
        match self.within(self.backend().head(key)).await {
            Ok(info) if info.size != PROBE.len() as u64 => self.findings.failure(
                "head",
                super::Finding::new(
                    format!(
                        "{} bytes were written, but the server says {}",
                        PROBE.len(),
                        info.size
                    ),
                    "do not trust this server with images; see its log",
                ),
            ),
            Ok(info) if info.content_type.as_deref() != Some("image/png") => self.findings.warning(
                "head",
                super::Finding::new(
                    format!(
                        "the content type is {:?} instead of image/png",
                        info.content_type
                    ),
                    "browsers would not show such images: use a server that keeps Content-Type",
                ),
            ),
            Ok(_) => self
                .findings
                .ok("head", "size and content type are as written"),
            Err(trouble) => self.findings.failure("head", trouble),
        }
    }

    async fn get(&mut self, key: &ObjectKey) {
        match self.within(self.backend().get(key, 1 << 20)).await {
            Ok((_, bytes)) if bytes == PROBE => {
                self.findings.ok("get", "the bytes come back as written");
            }
            Ok(_) => self.findings.failure(
                "get",
                super::Finding::new(
                    "the bytes that come back differ from those written",
                    "look for a proxy or an antivirus between here and the server",
                ),
            ),
            Err(trouble) => self.findings.failure("get", trouble),
        }
    }

    async fn list(&mut self, key: &ObjectKey) {
        let prefix = key
            .as_str()
            .rsplit_once('/')
            .map_or("", |(prefix, _)| prefix);
        let backend = self.backend();
        let search = async {
            let mut listed = backend.list(prefix).take(LISTED);
            let mut seen = 0;
            while let Some(info) = listed.next().await {
                seen += 1;
                if info?.key == *key {
                    return Ok::<_, Error>((true, seen));
                }
            }
            Ok((false, seen))
        };
        match self.within(search).await {
            Ok((found, seen)) if found || seen == LISTED => {
                self.findings.ok("list", "the listing has it");
            }
            Ok(_) => self.findings.warning(
                "list",
                super::Finding::new(
                    "the listing does not have what was just written",
                    "this server lists late: sweep and migrate may miss new objects",
                ),
            ),
            Err(trouble) => self.findings.failure("list", trouble),
        }
    }

    async fn create_only(&mut self, key: &ObjectKey) {
        if !self.store.config().create_only() {
            self.findings
                .skipped("create_only", "turned off in the configuration");
            return;
        }
        let options = self.put_options();
        let again = self.backend().put(key, Bytes::from_static(PROBE), &options);
        let outcome = tokio::time::timeout(STEP, again).await;
        match outcome {
            Ok(Err(error)) if error.kind() == ErrorKind::AlreadyExists => self
                .findings
                .ok("create_only", "a second write to the same key is refused"),
            Ok(Ok(_)) => self.findings.failure(
                "create_only",
                super::Finding::new(
                    "a second write to the same key was taken: If-None-Match is not honoured",
                    "Ceph ignores it in versioned buckets: suspend versioning there, use a server that honours it, or turn create-only off",
                ),
            ),
            Ok(Err(error)) => self
                .findings
                .failure("create_only", (&Error::from(error)).into()),
            Err(_) => self.findings.failure("create_only", super::too_slow()),
        }
    }

    /// Removes what a bucket with versioning keeps of a probe. Without the rights it stays, until the bucket's
    /// lifecycle ends it.
    async fn remove_versions(&self, key: &ObjectKey) {
        let backend = self.backend();
        let removal = async {
            let kept = backend.versions(key.as_str(), |found| found == key).await?;
            for (_, version) in kept {
                backend.delete_version(key, &version.version).await?;
            }
            Ok::<_, Error>(())
        };
        if let Err(trouble) = self.within(removal).await {
            tracing::debug!(%key, problem = trouble.message, "versions of a probe stay");
        }
    }

    /// Removes every probe, whatever happened before.
    pub(super) async fn remove_probes(&mut self) {
        let mut left = Vec::new();
        let mut trouble = None;
        for key in std::mem::take(&mut self.probes) {
            let removed = self.within(self.backend().delete(&key)).await;
            self.remove_versions(&key).await;
            if let Err(error) = removed {
                trouble = Some(error);
                left.push(key.to_string());
            }
        }
        match trouble {
            None => self.findings.ok("delete", "the probes are removed"),
            Some(mut trouble) => {
                trouble.message = format!("{}; left behind: {}", trouble.message, left.join(", "));
                self.findings.failure("delete", trouble);
            }
        }
    }
}
