//! Certificates of a private authority, before servers that show one: trusted beside the system's own.

use crate::distribution::{Distribution, Origin};
use crate::shell::{Done, Shell, mounted};

async fn server() -> Distribution {
    Distribution::serve("localhost", Origin::EmptyBucket, None).await
}

/// A bucket of `server`, where each variable names a file with the other server's certificate.
fn shell(server: &Distribution, trusted: &[(&str, &Distribution)]) -> Shell {
    let mut shell = Shell::new()
        .with("AWS_S3_BUCKET", "lab-images")
        .with("AWS_ENDPOINT_URL_S3", &format!("https://{}", server.domain))
        .with("AWS_ACCESS_KEY_ID", "AKIAAAAAAAAAAAAA")
        .with("AWS_SECRET_ACCESS_KEY", "bbbbbbbbbbbbbbbbbbbb");
    for (variable, authority) in trusted {
        let file = shell.write(&format!("{variable}.pem"), authority.certificate.as_bytes());
        shell = shell.with(variable, &file.display().to_string());
    }
    shell
}

#[track_caller]
fn is_reached(done: &Done, expected: bool, case: &str) {
    assert_eq!(done.code == 0, expected, "{case}: {}{}", done.out, done.err);
    if !expected {
        assert!(done.err.contains("AWS_CA_BUNDLE"), "{case}: {}", done.err);
        assert!(
            done.err.contains("invalid peer certificate"),
            "{case}: {}",
            done.err
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_authority_is_trusted_where_a_variable_names_it() {
    let (house, other) = (server().await, server().await);
    let bundle = "AWS_CA_BUNDLE";
    let file = "SSL_CERT_FILE";
    let cases: [(&[(&str, &Distribution)], bool); 6] = [
        (&[], false),
        (&[(bundle, &house)], true),
        (&[(file, &house)], true),
        (&[(bundle, &other)], false),
        (&[(file, &other)], false),
        (&[(bundle, &house), (file, &other)], true),
    ];
    for (number, (trusted, expected)) in cases.into_iter().enumerate() {
        let done = shell(&house, trusted).run(&["ls"]);
        is_reached(&done, expected, &format!("case {number}"));
    }
    // What is no certificate beside the one that is needed does not hide it.
    let shell = shell(&house, &[]);
    let odd = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let file = shell.write("odd.pem", format!("{odd}{}", house.certificate).as_bytes());
    let shell = shell.with(bundle, &file.display().to_string());
    is_reached(&shell.run(&["ls"]), true, "an odd one beside it");
    let file = shell.write("none.pem", odd.as_bytes());
    let done = shell.with(bundle, &file.display().to_string()).run(&["ls"]);
    assert_ne!(done.code, 0);
    assert!(done.err.contains("AWS_CA_BUNDLE"), "{}", done.err);
}

/// rustls reads `SSL_CERT_FILE` instead of the system's certificates, and the public buckets of a store would
/// be out of reach.
#[tokio::test(flavor = "multi_thread")]
async fn the_systems_certificates_are_trusted_all_the_same() {
    let (house, public) = (server().await, server().await);
    let none: &[(&str, &Distribution)] = &[];
    for trusted in [
        none,
        &[("AWS_CA_BUNDLE", &house)],
        &[("SSL_CERT_FILE", &house)],
        &[("AWS_CA_BUNDLE", &house), ("SSL_CERT_FILE", &house)],
    ] {
        let shell = shell(&public, trusted);
        let names: Vec<&str> = trusted.iter().map(|(name, _)| *name).collect();
        let case = names.join(" and ");
        is_reached(&shell.run(&["ls"]), false, &case);
        shell.write("system/public.pem", public.certificate.as_bytes());
        let mount = "mount --bind system /etc/ssl/certs";
        let Some(done) = mounted(&shell, mount, "", "", &["ls"]) else {
            return;
        };
        is_reached(&done, true, &case);
    }
}
