//! Lines of somebody's list, as reports show them.

use crate::store::ImageStore;

/// A line in the form in which the error of a URL that is not the store's shows it: cut short, and without userinfo,
/// query and fragment, which may be secrets.
pub(in crate::ops) fn shown(store: &ImageStore, line: &str) -> String {
    match store.urls().key_from_url(line) {
        Ok(key) => key.to_string(),
        Err(foreign) => foreign.url,
    }
}
