//! The addresses that anybody on the Internet may have, and no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not public: the IANA special-purpose registry, multicast, and a cloud's own service.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry/>
const RESERVED_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([168, 63, 129, 16], 32), // Azure's platform, reachable from its virtual machines alone
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3), // multicast and class E
];

/// Blocks within the global unicast addresses of IPv6 (2000::/3) that are not public. What lies outside those
/// (loopback, mapped and compatible IPv4, NAT64, unique local, link-local, multicast) is none of them.
/// <https://www.iana.org/assignments/iana-ipv6-special-registry/>
const RESERVED_V6: &[([u16; 3], u32)] = &[
    ([0x2001, 0, 0], 23), // protocol assignments, Teredo and ORCHID among them
    ([0x2001, 0xdb8, 0], 32),
    ([0x2002, 0, 0], 16), // 6to4
    ([0x2620, 0x4f, 0x8000], 48),
    ([0x3fff, 0, 0], 20),
];

/// Returns whether it is an address of the public Internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let within = |&(block, length): &([u8; 4], u32)| {
                let distance = u32::from(address) ^ u32::from(Ipv4Addr::from(block));
                distance.leading_zeros() >= length
            };
            !RESERVED_V4.iter().any(within)
        }
        IpAddr::V6(address) => {
            let within = |&([first, second, third], length): &([u16; 3], u32)| {
                let block = Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0);
                (u128::from(address) ^ u128::from(block)).leading_zeros() >= length
            };
            address.segments()[0] >> 13 == 1 && !RESERVED_V6.iter().any(within)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last address of every reserved block, and their neighbours outside.
    #[test]
    fn reserved_blocks_end_where_they_end() {
        for reserved in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.0",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:93.184.216.34",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:10::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2620:4f:8000::1",
            "3fff::1",
            "3fff:fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(reserved.parse().expect(reserved)), "{reserved}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "93.184.216.34",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001::1",
        ] {
            assert!(is_public(public.parse().expect(public)), "{public}");
        }
    }
}
