//! Operations: everything around the images that is not an upload.
//!
//! | | what it does |
//! |---|---|
//! | [`doctor`] | tries everything that a store needs and says what to do where it fails |
//! | [`Setup`] | the documents and the script that make a healthy bucket |
//! | [`regenerate`] | makes the variants that are missing, or all of them anew |
//! | [`migrate`] | moves images from one place to another without loss |
//! | [`sweep`] | finds and removes what nobody uses any more |
//! | [`handle_event`] | promotes the direct uploads that an S3 event notification tells of |
//!
//! The command line and `flask storage …` are thin faces on these.

#[cfg(feature = "s3")]
mod doctor;
mod events;
#[cfg(feature = "store")]
mod migrate;
#[cfg(feature = "store")]
mod part;
#[cfg(feature = "store")]
mod regenerate;
mod setup;
#[cfg(feature = "store")]
mod sweep;

#[cfg(feature = "s3")]
pub use doctor::{Check, CheckStatus, Diagnosis, DoctorOptions, doctor};
#[cfg(feature = "store")]
pub use events::{EventOutcome, EventReport, handle_event};
pub use events::{InvalidEvent, MAX_EVENT_BYTES, Notice, ObjectEvent, parse_event};
#[cfg(feature = "store")]
pub use migrate::{
    MigrateFailure, MigrateOptions, MigrateReport, Migrated, Place, UrlMap, UrlMapFormat, migrate,
};
#[cfg(feature = "cli")]
pub(crate) use regenerate::count_images;
#[cfg(feature = "store")]
pub use regenerate::{
    RegenerateFailure, RegenerateOptions, RegenerateReport, Regenerated, Shard, regenerate,
    regenerate_each,
};
#[cfg(feature = "cli")]
pub(crate) use setup::check_origin;
pub use setup::{Archive, InvalidSetup, Setup, SetupOptions};
#[cfg(feature = "store")]
pub use sweep::{Sweep, SweepOptions, Swept, SweptAs, UsedUrls, sweep};
