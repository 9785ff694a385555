use super::*;

fn setup(change: impl FnOnce(SetupOptions) -> SetupOptions) -> Setup {
    let options =
        SetupOptions::new("lab-images", "eu-central-1").with_origin("https://lab.example.org");
    Setup::new(change(options)).expect("valid options")
}

#[test]
fn only_the_prefix_is_public_and_acls_stay_shut() {
    let documents = setup(|options| options).documents();
    let statement = &documents["bucket_policy"]["Statement"][0];
    assert_eq!(
        statement["Resource"],
        "arn:aws:s3:::lab-images/components/*"
    );
    assert_eq!(statement["Action"], "s3:GetObject");
    let block = &documents["public_access_block"];
    assert_eq!(block["BlockPublicAcls"], true);
    assert_eq!(block["BlockPublicPolicy"], false);
}

#[test]
fn behind_cloudfront_the_bucket_is_private() {
    let setup = setup(|options| options.with_cloudfront(true));
    let documents = setup.documents();
    let policy = documents["bucket_policy"].to_string();
    assert!(policy.contains("cloudfront.amazonaws.com") && !policy.contains("\"*\""));
    assert_eq!(
        documents["public_access_block"]["RestrictPublicBuckets"],
        true
    );
    assert_eq!(
        documents["distribution"]["Origins"]["Items"][0]["DomainName"],
        "lab-images.s3.eu-central-1.amazonaws.com"
    );
}

#[test]
fn the_application_may_purge_from_its_own_distribution() {
    let options = |options: SetupOptions| options.with_cloudfront_domain("cdn.example.org");
    let without = setup(options).documents()["iam_policy"].to_string();
    assert!(!without.contains("cloudfront:"), "{without}");
    let with = setup(|given| {
        let mut given = options(given).with_distribution_id("EDFDVBD6EXAMPLE");
        given.account = Some("123456789012".into());
        given
    });
    let policy = &with.documents()["iam_policy"];
    let statements = policy["Statement"].as_array().expect("statements");
    let purge = statements.last().expect("the last");
    assert_eq!(purge["Action"], "cloudfront:CreateInvalidation");
    let arn = "arn:aws:cloudfront::123456789012:distribution/EDFDVBD6EXAMPLE";
    assert_eq!(purge["Resource"], arn);
}

#[test]
fn the_application_gets_four_actions_and_no_more() {
    let policy = &setup(|options| options).documents()["iam_policy"];
    let mut actions: Vec<String> = Vec::new();
    for statement in policy["Statement"].as_array().expect("statements") {
        match &statement["Action"] {
            Value::Array(list) => {
                actions.extend(
                    list.iter()
                        .map(|action| action.as_str().unwrap_or("").to_owned()),
                );
            }
            action => actions.push(action.as_str().unwrap_or("").to_owned()),
        }
        assert_ne!(statement["Resource"], "*");
    }
    actions.sort();
    assert_eq!(
        actions,
        [
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:PutObject"
        ]
    );
}

#[test]
fn us_east_1_is_never_named_as_a_location() {
    let plain = Setup::new(SetupOptions::new("lab-images", "us-east-1")).expect("valid");
    assert!(!plain.script().contains("LocationConstraint"));
    let elsewhere = setup(|options| options);
    assert_eq!(
        elsewhere.documents()["create_bucket"]["CreateBucketConfiguration"]["LocationConstraint"],
        "eu-central-1"
    );
}

#[test]
fn block_public_access_is_opened_before_the_policy() {
    let script = setup(|options| options).script();
    let opened = script.find("put-public-access-block").expect("opened");
    let policy = script.find("put-bucket-policy").expect("policy");
    assert!(opened < policy);
}

#[test]
fn other_partitions_have_their_own_arns() {
    let setup = Setup::new(SetupOptions::new("lab-images", "cn-north-1")).expect("valid");
    let documents = setup.documents();
    assert!(
        documents["bucket_policy"]
            .to_string()
            .contains("arn:aws-cn:s3:::")
    );
    assert!(
        documents["trust_policy"]
            .to_string()
            .contains("ec2.amazonaws.com.cn")
    );
}

/// GovCloud's ARNs are its own, its host names are not.
#[test]
fn gov_cloud_has_arns_of_its_own() {
    let mut options = SetupOptions::new("lab-images", "us-gov-west-1");
    options.account = Some("123456789012".into());
    options.kms_key = Some("1234abcd-12ab-34cd-56ef-1234567890ab".into());
    let documents = Setup::new(options).expect("valid").documents();
    let rights = documents["iam_policy"].to_string();
    assert!(rights.contains("arn:aws-us-gov:s3:::lab-images/components/*"));
    assert!(rights.contains("arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd"));
    assert!(!rights.contains("arn:aws:"), "{rights}");
    let trust = documents["trust_policy"].to_string();
    assert!(trust.contains("\"ec2.amazonaws.com\""), "{trust}");
}

#[test]
fn pending_uploads_expire_and_images_move_on_request() {
    let documents =
        setup(|options| options.with_archive(Archive::IntelligentTiering(30))).documents();
    let rules = documents["lifecycle"]["Rules"].as_array().expect("rules");
    // All of it outlives every form; uploads, which are not empty, go after a day where the server can tell.
    assert_eq!(rules[0]["Filter"]["Prefix"], "pending/components/");
    assert_eq!(rules[0]["Expiration"]["Days"], 8);
    let uploads = rules.iter().find(|rule| rule["Expiration"]["Days"] == 1);
    let filter = &uploads.expect("a rule")["Filter"]["And"];
    assert_eq!(
        (&filter["Prefix"], filter["ObjectSizeGreaterThan"].as_u64()),
        (&rules[0]["Filter"]["Prefix"], Some(0))
    );
    let moved = rules.last().expect("rule");
    assert_eq!(
        moved["Transitions"][0]["StorageClass"],
        "INTELLIGENT_TIERING"
    );
    assert_eq!(moved["Filter"]["Prefix"], "components/");
}

#[test]
fn originals_move_to_glacier_by_themselves() {
    let archive = Archive::GlacierInstant(90);
    let documents = setup(|options| options.with_archive_originals(archive)).documents();
    let rules = documents["lifecycle"]["Rules"].as_array().expect("rules");
    let moving: Vec<_> = rules
        .iter()
        .filter(|rule| !rule["Transitions"].is_null())
        .collect();
    let [rule] = moving[..] else {
        panic!("images stay where they are: {rules:?}");
    };
    assert_eq!(rule["Filter"]["Prefix"], "originals/components/");
    assert_eq!(rule["Status"], "Enabled");
    assert_eq!(
        rule["Transitions"],
        serde_json::json!([{"Days": 90, "StorageClass": "GLACIER_IR"}])
    );
}

#[test]
fn old_versions_go_after_thirty_days() {
    let expiring = |documents: &BTreeMap<&str, Value>| {
        let rules = documents["lifecycle"]["Rules"].as_array().expect("rules");
        let old = |rule: &&Value| !rule["NoncurrentVersionExpiration"].is_null();
        rules.iter().filter(old).cloned().collect::<Vec<_>>()
    };
    let documents = setup(|options| options).documents();
    assert!(expiring(&documents).is_empty() && !documents.contains_key("versioning"));
    let kept = setup(|options| options.with_versioning(true)).documents();
    let copied = setup(|options| options.with_replica("lab-copy", "eu-west-1")).documents();
    for documents in [kept, copied] {
        assert_eq!(documents["versioning"]["Status"], "Enabled");
        let rules = expiring(&documents);
        let [rule] = &rules[..] else {
            panic!("one rule: {rules:?}");
        };
        assert_eq!(rule["NoncurrentVersionExpiration"]["NoncurrentDays"], 30);
        // Of everything, originals and pending uploads too; the markers that are left go with them.
        assert_eq!(rule["Filter"]["Prefix"], "");
        assert_eq!(rule["Status"], "Enabled");
        assert_eq!(rule["Expiration"]["ExpiredObjectDeleteMarker"], true);
    }
}

/// The resources that the application may do this to.
fn may(documents: &BTreeMap<&str, Value>, action: &str) -> Vec<String> {
    let listed = |value: &Value| match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    };
    let statements = documents["iam_policy"]["Statement"].as_array();
    let statements = statements.expect("statements").iter();
    let allowing = statements.filter(|one| {
        one["Effect"] == "Allow" && listed(&one["Action"]).contains(&Value::from(action))
    });
    let resources = allowing.flat_map(|one| listed(&one["Resource"]));
    let mut resources: Vec<String> = resources
        .map(|resource| resource.as_str().expect("an ARN").to_owned())
        .collect();
    resources.sort();
    resources
}

#[test]
fn the_application_has_rights_on_originals_and_their_versions() {
    let bucket = "arn:aws:s3:::lab-images";
    let objects = |prefix: &str| {
        ["", "originals/", "pending/"].map(|area| format!("{bucket}/{area}{prefix}/*"))
    };
    let of_objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    let of_versions = ["s3:GetObjectVersion", "s3:DeleteObjectVersion"];
    let of_the_bucket = ["s3:GetBucketVersioning", "s3:ListBucketVersions"];

    // "boards" sorts before the areas' names, as "components" does.
    for prefix in ["components", "boards"] {
        let plain = setup(|options| options.with_prefix(prefix)).documents();
        let versioned = setup(|options| options.with_prefix(prefix).with_versioning(true));
        let versioned = versioned.documents();
        for action in of_objects {
            assert_eq!(may(&plain, action), objects(prefix), "{action}");
            assert_eq!(may(&versioned, action), objects(prefix), "{action}");
        }
        for action in of_versions {
            assert_eq!(may(&plain, action), [""; 0], "{action}");
            assert_eq!(may(&versioned, action), objects(prefix), "{action}");
        }
        for action in of_the_bucket {
            assert_eq!(may(&plain, action), [""; 0], "{action}");
            assert_eq!(may(&versioned, action), [bucket], "{action}");
        }
    }
    // Nobody else may read an original.
    let public = setup(|options| options.with_versioning(true)).documents();
    let public = public["bucket_policy"].to_string();
    assert!(!public.contains("originals"), "{public}");
}

#[test]
fn notifications_are_for_pending_uploads_only() {
    for (arn, list) in [
        (
            "arn:aws:sqs:eu-central-1:123456789012:images",
            "QueueConfigurations",
        ),
        (
            "arn:aws:sns:eu-central-1:123456789012:images",
            "TopicConfigurations",
        ),
        (
            "arn:aws:lambda:eu-central-1:123456789012:function:f",
            "LambdaFunctionConfigurations",
        ),
    ] {
        let documents = setup(|options| options.with_notify(arn)).documents();
        let rules = &documents["notification"][list][0]["Filter"]["Key"]["FilterRules"];
        assert_eq!(rules[0]["Value"], "pending/components/", "{arn}");
    }
}

#[test]
fn bad_options_are_named() {
    let valid = || SetupOptions::new("lab-images", "eu-central-1");
    for (options, name) in [
        (SetupOptions::new("Lab_Images", "eu-central-1"), "bucket"),
        (SetupOptions::new("lab-images", "eu central"), "region"),
        (valid().with_prefix(""), "prefix"),
        (valid().with_prefix("a*"), "prefix"),
        (valid().with_origin("lab.example.org"), "origin"),
        (
            valid().with_origin("https://lab.example.org/path"),
            "origin",
        ),
        (
            valid().with_origin("https://lab.example.org'; rm -rf /"),
            "origin",
        ),
        (valid().with_notify("arn:aws:s3:::bucket"), "notify"),
        (
            valid().with_replica("lab-images", "eu-west-1"),
            "replicate-to",
        ),
        (valid().with_archive(Archive::Glacier(0)), "days"),
        (
            SetupOptions::new("lab-images", "cn-north-1").with_cloudfront(true),
            "cloudfront",
        ),
        (
            SetupOptions::new("lab-images", "us-gov-west-1")
                .with_cloudfront_domain("i.example.org"),
            "cloudfront",
        ),
        (
            {
                let mut options = valid().with_replica("lab-copy", "eu-west-1");
                options.kms_key = Some("key".into());
                options
            },
            "kms-key",
        ),
    ] {
        assert_eq!(Setup::new(options).expect_err(name).option, name);
    }
}

/// bash itself reads every script, and nothing that a user typed is ever run as a command.
#[test]
fn scripts_are_valid_bash() {
    let mut full = SetupOptions::new("lab-images", "eu-central-1")
        .with_origin("https://lab.example.org")
        .with_cloudfront(true)
        .with_archive(Archive::GlacierInstant(90))
        .with_replica("lab-images-copy", "us-east-1")
        .with_notify("arn:aws:sqs:eu-central-1:123456789012:images");
    full.user = Some("lablink".into());
    full.tags
        .push(("owner".into(), "it's $(touch owned) `here`".into()));
    full.accelerate = true;
    let mut lambda = full.clone();
    lambda.notify = Some("arn:aws:lambda:eu-central-1:123456789012:function:f".into());
    lambda.cloudfront_domain = Some("images.example.org".into());
    let mut topic = full.clone().with_endpoint_url("http://127.0.0.1:7480");
    topic.notify = Some("arn:aws:sns:default::images".into());
    for options in [
        full,
        lambda,
        topic,
        SetupOptions::new("lab-images", "us-east-1"),
    ] {
        let script = Setup::new(options).expect("valid").script();
        let mut bash = std::process::Command::new("bash")
            .arg("-n")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("bash runs");
        std::io::Write::write_all(&mut bash.stdin.take().expect("stdin"), script.as_bytes())
            .expect("written");
        assert!(bash.wait().expect("bash ends").success(), "{script}");
    }
}
