//! The parts of AWS that know nothing of each other, as botocore's `partitions.json` has them.

/// The partition that a region belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Partition {
    /// The word behind `arn:` in every ARN of it.
    pub(crate) name: &'static str,
    /// The domain of its services.
    pub(crate) dns_suffix: &'static str,
}

impl Partition {
    pub(crate) fn of(region: &str) -> Self {
        const PARTITIONS: [(&str, &str, &str); 7] = [
            ("cn-", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-", "aws-us-gov", "amazonaws.com"),
            ("eusc-", "aws-eusc", "amazonaws.eu"),
            ("us-iso-", "aws-iso", "c2s.ic.gov"),
            ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
            ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
            ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
        ];
        let found = PARTITIONS
            .iter()
            .find(|(prefix, ..)| region.starts_with(prefix));
        let &(_, name, dns_suffix) = found.unwrap_or(&("", "aws", "amazonaws.com"));
        Self { name, dns_suffix }
    }
}
