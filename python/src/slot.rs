//! One value for each process.
//!
//! A forked child inherits its parent's memory but not its threads: a runtime has lost its workers, a
//! connection pool waits for tasks that no longer run, and a lock that another thread held stays locked
//! for ever. So what lives here is made anew by every process that asks for it, and what was inherited is
//! neither locked nor dropped: it is left alone.

#![allow(unsafe_code)] // A lock or a `OnceLock` could be inherited in the middle of its use; a pointer cannot.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

struct Entry<T> {
    pid: u32,
    value: T,
}

/// A lock-free slot whose value belongs to the process that made it.
pub(crate) struct Slot<T> {
    entry: AtomicPtr<Entry<T>>,
    owns: PhantomData<T>,
}

impl<T> Slot<T> {
    pub(crate) const fn new() -> Self {
        Self {
            entry: AtomicPtr::new(ptr::null_mut()),
            owns: PhantomData,
        }
    }

    pub(crate) fn with(value: T) -> Self {
        let slot = Self::new();
        slot.entry.store(boxed(value), Ordering::Release);
        slot
    }

    /// This process's value, if it has made one.
    pub(crate) fn get(&self) -> Option<&T> {
        let entry = self.entry.load(Ordering::Acquire);
        // SAFETY: the pointer is null or came from `Box::into_raw` in `boxed`. An entry is freed by `drop`
        // alone, which has the slot to itself, or before anyone else has seen it.
        let entry = unsafe { entry.as_ref() }?;
        (entry.pid == std::process::id()).then_some(&entry.value)
    }

    /// This process's value, made now if there is none. Two threads may both make one; the first wins.
    pub(crate) fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let made = boxed(make()?);
        loop {
            let seen = self.entry.load(Ordering::Acquire);
            if let Some(value) = self.get() {
                // SAFETY: `made` was never published, so this is its only pointer.
                drop(unsafe { Box::from_raw(made) });
                return Ok(value);
            }
            // What `seen` points to is null or another process's: it is leaked on purpose.
            let swapped =
                self.entry
                    .compare_exchange(seen, made, Ordering::AcqRel, Ordering::Acquire);
            if swapped.is_ok() {
                // SAFETY: just published; entries of this process live as long as the slot.
                return Ok(unsafe { &(*made).value });
            }
        }
    }
}

fn boxed<T>(value: T) -> *mut Entry<T> {
    Box::into_raw(Box::new(Entry {
        pid: std::process::id(),
        value,
    }))
}

impl<T> Drop for Slot<T> {
    fn drop(&mut self) {
        if self.get().is_some() {
            // SAFETY: `get` saw a live entry of this process, and `&mut self` says that nobody borrows it.
            drop(unsafe { Box::from_raw(*self.entry.get_mut()) });
        }
    }
}

// SAFETY: the slot hands out `&T` to any thread and drops `T` on any thread, as `Arc<T>` does.
unsafe impl<T: Send + Sync> Send for Slot<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}
