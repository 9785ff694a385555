//! Panics of the libraries that decode: caught, so that one file does not end a process that does many.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use super::OptimizeError;

thread_local!(static GUARDED: Cell<bool> = const { Cell::new(false) });

/// Runs `work`; a panic in it is an error of the image.
pub(super) fn guarded<T>(
    work: impl FnOnce() -> Result<T, OptimizeError>,
) -> Result<T, OptimizeError> {
    let outer = GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    outcome.unwrap_or_else(|_| {
        // The panic's message may quote the file.
        tracing::error!("a decoder panicked");
        Err(OptimizeError::invalid(
            "damaged in a way that the decoder cannot handle",
        ))
    })
}

/// Keeps what [`guarded`] catches off stderr: for programs that own their process. A library's users choose
/// their panic hook themselves.
#[doc(hidden)]
pub fn silence_caught_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                hook(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_the_image_and_says_nothing_of_itself() {
        let error = guarded::<()>(|| panic!("index 7 of 6 in secret.rs")).expect_err("a panic");
        assert!(matches!(error, OptimizeError::InvalidImage { .. }));
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!GUARDED.get());
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
