//! Where the routes are, seen from outside and from the application.

use ::axum::http::{HeaderMap, Uri, header};

/// The path of the store's base URL, and how a request was addressed.
pub(super) struct Place {
    path: String,
    root: String,
    behind_proxy: bool,
}

impl Place {
    pub(super) fn new(base_url: Option<&str>, root: String, behind_proxy: bool) -> Self {
        let base_url = base_url.unwrap_or_default();
        let path = match base_url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => base_url,
        };
        Self {
            path: path.trim_end_matches('/').to_owned(),
            root,
            behind_proxy,
        }
    }

    /// The base URL's path as the application sees it: without the prefix that a proxy takes off.
    pub(super) fn mount_point(&self) -> &str {
        match self.path.strip_prefix(&self.root) {
            Some(rest) if rest.starts_with('/') => rest,
            _ => &self.path,
        }
    }

    /// The address of a form, as a browser has to ask for it.
    pub(super) fn absolute(&self, url: &str, uri: &Uri, headers: &HeaderMap) -> String {
        let url = if url.is_empty() { "/" } else { url };
        if !url.starts_with('/') {
            return url.to_owned();
        }
        let forwarded = |name: &str| {
            let value = headers.get(name).filter(|_| self.behind_proxy)?;
            // The last one is the nearest proxy's.
            Some(value.to_str().ok()?.rsplit(',').next()?.trim().to_owned())
        };
        let host = forwarded("x-forwarded-host").or_else(|| {
            let named = headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok());
            let named = named.or(uri.authority().map(|authority| authority.as_str()));
            named.map(str::to_owned)
        });
        let Some(host) = host else {
            return url.to_owned();
        };
        let scheme = forwarded("x-forwarded-proto").or_else(|| uri.scheme_str().map(str::to_owned));
        let scheme = scheme.unwrap_or_else(|| "http".to_owned());
        let root = match url.strip_prefix(&self.root) {
            Some(rest) if rest.starts_with('/') => "",
            _ => &self.root,
        };
        format!("{scheme}://{host}{root}{url}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_point_is_the_path_that_is_left_by_the_proxy() {
        let cases = [
            ("/uploads", "", "/uploads"),
            ("/lab/uploads", "/lab", "/uploads"),
            ("/uploads", "/lab", "/uploads"),
            ("/labs/uploads", "/lab", "/labs/uploads"),
            ("https://lab.example.org/lab/uploads", "/lab", "/uploads"),
            ("https://img.example.org", "", ""),
            ("https://img.example.org/", "", ""),
            ("/", "", ""),
        ];
        for (base_url, root, mount_point) in cases {
            let place = Place::new(Some(base_url), root.to_owned(), false);
            assert_eq!(place.mount_point(), mount_point, "{base_url} {root}");
        }
    }

    #[test]
    fn a_proxys_words_count_where_there_is_one() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "127.0.0.1:3000"),
            ("x-forwarded-host", "evil.example, lab.example.org"),
            ("x-forwarded-proto", "https"),
        ] {
            headers.insert(name, value.parse().expect("a value"));
        }
        let address = |root: &str, behind_proxy, url| {
            Place::new(Some("/uploads"), root.to_owned(), behind_proxy).absolute(
                url,
                &Uri::from_static("/api/s3/upload-url"),
                &headers,
            )
        };
        assert_eq!(
            address("", false, "/uploads"),
            "http://127.0.0.1:3000/uploads"
        );
        assert_eq!(
            address("", true, "/uploads"),
            "https://lab.example.org/uploads"
        );
        assert_eq!(
            address("/lab", true, "/uploads"),
            "https://lab.example.org/lab/uploads"
        );
        assert_eq!(
            address("/lab", true, "/lab/uploads"),
            "https://lab.example.org/lab/uploads"
        );
        assert_eq!(address("", false, ""), "http://127.0.0.1:3000/");
        assert_eq!(
            address("/lab", true, "https://b.example/"),
            "https://b.example/"
        );
    }
}
