//! One bash script of AWS CLI commands: `setup.sh`, with the settings and documents of a bucket in it.

use std::fmt::Write as _;

use super::{Setup, distribution};

const SCRIPT: &str = include_str!("setup.sh");

/// The line of the script that the settings and documents replace.
const PLACE: &str = "# SETTINGS AND DOCUMENTS\n";

pub(super) fn write(setup: &Setup) -> String {
    let mut given = settings(setup);
    for (name, document) in setup.documents() {
        let _ = write!(
            given,
            "\ncat > \"$work/{name}.json\" <<'DOCUMENT'\n{document:#}\nDOCUMENT\n"
        );
    }
    SCRIPT.replacen(PLACE, &given, 1)
}

fn settings(setup: &Setup) -> String {
    let options = &setup.options;
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    let (replica, replica_region) = options.replica.clone().unwrap_or_default();
    let settings = [
        ("BUCKET", options.bucket.clone()),
        ("REGION", options.region.clone()),
        ("ENDPOINT", text(&options.endpoint_url)),
        ("ACCOUNT", text(&options.account)),
        ("ROLE", options.role.clone()),
        ("IAM_USER", text(&options.user)),
        ("PENDING", setup.pending_prefix()),
        ("ORIGINS", options.origins.join(" ")),
        ("CLOUDFRONT_DOMAIN", text(&options.cloudfront_domain)),
        ("DISTRIBUTION_GIVEN", text(&options.distribution_id)),
        ("CERTIFICATE", text(&options.certificate)),
        ("COMMENT", distribution::comment(setup)),
        ("REPLICA", replica),
        ("REPLICA_REGION", replica_region),
        ("NOTIFY", text(&options.notify)),
        ("BUCKET_ARN", setup.bucket_arn()),
    ];
    let lines = settings.map(|(name, value)| format!("{name}={}\n", quote(&value)));
    lines.concat()
}

/// Quotes for a POSIX shell: nothing inside single quotes means anything.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
