//! Originals are private: nobody but the application can read one.

use uuid::Uuid;

use super::http::Http;
use super::{Examination, Finding};
use crate::error::Error;
use crate::format::ImageFormat;
use crate::key::ObjectKey;

const NAME: &str = "originals_private";

impl Examination<'_> {
    /// Keeps a probe among the originals and asks for it as anybody, at the bucket and wherever images are
    /// public.
    pub(super) async fn originals_private(&mut self, http: &Http) {
        let config = self.store.config();
        if !config.keep_original() {
            let why = "no originals are kept (LABLINK_STORAGE_KEEP_ORIGINAL)";
            self.findings.skipped(NAME, why);
            return;
        }
        let id = Uuid::new_v4();
        let key = ObjectKey::for_upload(self.prefix(), id, ImageFormat::Png)
            .map_err(Error::from)
            .and_then(|image| self.store.original_key(&image));
        let key = match key {
            Ok(key) => key,
            Err(error) => return self.findings.failure(NAME, (&error).into()),
        };
        if !self.put_probe(NAME, &key).await {
            return;
        }
        let urls = config.urls();
        let mut places = vec![urls.object_url(&key)];
        let public = urls.public_url(&key);
        if !places.contains(&public) {
            places.push(public);
        }
        // Of a base URL that is a path, nobody outside of the application knows the host.
        places.retain(|place| place.starts_with("http"));
        for place in &places {
            match http.get(place).await {
                Ok(answer) if (200..300).contains(&answer.status) => {
                    let trouble = Finding::new(
                        format!("anyone can read originals, positions and all, at {place}"),
                        self.policy_hint("open the prefix of the images only"),
                    );
                    return self.findings.failure(NAME, trouble);
                }
                Ok(_) => {}
                Err(problem) => {
                    let trouble =
                        Finding::new(problem, "see that the address answers, and try again");
                    return self.findings.warning(NAME, trouble);
                }
            }
        }
        if places.is_empty() {
            let why = "the base URL is a path: set it with its host, and it is asked there";
            self.findings.skipped(NAME, why);
        } else {
            self.findings
                .ok(NAME, "originals cannot be read by the public");
        }
    }
}
