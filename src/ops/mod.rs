//! Operations: everything around the images that is not an upload.
//!
//! | | what it does |
//! |---|---|
//! | [`doctor`] | tries everything that a store needs and says what to do where it fails |
//! | [`Setup`] | the documents and the script that make a healthy bucket |
//! | [`regenerate`] | makes the variants that are missing, or all of them anew |
//! | [`migrate`] | moves images from one place to another without loss |
//! | `migrate_urls` | fetches the images that a column's URLs lead to |
//! | [`sweep`] | finds and removes unused objects |
//! | [`handle_event`] | promotes the direct uploads named in an S3 event notification |
//!
//! The command line and `flask storage …` are thin faces on these.

mod doctor;
mod events;
pub(crate) mod lines;
mod migrate;
mod part;
mod regenerate;
mod setup;
mod sweep;

pub use doctor::{Check, CheckStatus, Diagnosis, DoctorOptions, doctor};
pub use events::{EventOutcome, EventReport, handle_event};
pub use events::{InvalidEvent, MAX_EVENT_BYTES, Notice, ObjectEvent, parse_event};
pub use migrate::{
    MigrateFailure, MigrateOptions, MigrateReport, Migrated, Place, UrlMap, UrlMapFormat, migrate,
};
pub use migrate::{UrlFailure, UrlMigrated, UrlOptions, UrlReport, migrate_urls};
#[cfg(feature = "cli")]
pub(crate) use regenerate::count_images;
pub use regenerate::{
    RegenerateFailure, RegenerateOptions, RegenerateReport, Regenerated, Shard, regenerate,
    regenerate_each,
};
#[cfg(feature = "cli")]
pub(crate) use setup::check_origin;
pub use setup::{Archive, InvalidSetup, Setup, SetupOptions};
pub use sweep::{Sweep, SweepOptions, Swept, SweptAs, UsedUrls, sweep};
