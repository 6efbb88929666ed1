//! Checksums that clients send with an upload, in its headers or behind its bytes.

use hyper::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::Checksum;
use s3s::{S3Result, TrailingHeaders, s3_error};

const NAMES: [&str; 5] = [
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
];

/// The checksums of one upload, computed as its bytes pass.
pub(super) struct Checksums {
    hasher: ChecksumHasher,
    /// Names and values that came with the headers.
    sent: Vec<(&'static str, String)>,
    /// Those that come behind the bytes.
    trailers: Option<TrailingHeaders>,
}

impl Checksums {
    /// Those that the client of this request announces.
    pub(super) fn announced(headers: &HeaderMap, trailers: Option<TrailingHeaders>) -> Self {
        let trailing = headers
            .get_all("x-amz-trailer")
            .iter()
            .filter_map(|value| value.to_str().ok());
        let trailing: Vec<&str> = trailing
            .flat_map(|names| names.split(','))
            .map(str::trim)
            .collect();
        let value = |name| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let sent: Vec<_> = NAMES
            .iter()
            .filter_map(|name| Some((*name, value(*name)?)))
            .collect();
        let wanted = |name| {
            sent.iter().any(|(sent, _)| *sent == name)
                || trailing.iter().any(|sent| sent.eq_ignore_ascii_case(name))
        };
        let hasher = ChecksumHasher {
            crc32: wanted(NAMES[0]).then(Crc32::new),
            crc32c: wanted(NAMES[1]).then(Crc32c::new),
            crc64nvme: wanted(NAMES[2]).then(Crc64Nvme::new),
            sha1: wanted(NAMES[3]).then(Sha1::new),
            sha256: wanted(NAMES[4]).then(Sha256::new),
        };
        Self {
            hasher,
            sent,
            trailers,
        }
    }

    /// Takes bytes as they pass.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// Compares, once all bytes have passed.
    pub(super) fn verify(self) -> S3Result<()> {
        let computed = self.hasher.finalize();
        let mut sent = self.sent;
        if let Some(trailers) = self.trailers.and_then(|trailers| trailers.take()) {
            let value = |name| {
                trailers
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .map(str::to_owned)
            };
            sent.extend(NAMES.iter().filter_map(|name| Some((*name, value(*name)?))));
        }
        for (name, value) in sent {
            if by_name(&computed, name).is_some_and(|computed| *computed != value) {
                return Err(s3_error!(
                    BadDigest,
                    "{name} does not fit the bytes that arrived"
                ));
            }
        }
        Ok(())
    }
}

fn by_name<'a>(checksum: &'a Checksum, name: &str) -> Option<&'a String> {
    let values = [
        &checksum.checksum_crc32,
        &checksum.checksum_crc32c,
        &checksum.checksum_crc64nvme,
        &checksum.checksum_sha1,
        &checksum.checksum_sha256,
    ];
    NAMES
        .iter()
        .zip(values)
        .find(|(known, _)| **known == name)
        .and_then(|(_, value)| value.as_ref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn check(name: &'static str, value: &str) -> S3Result<()> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let mut checksums = Checksums::announced(&headers, None);
        checksums.update(b"123456");
        checksums.update(b"789");
        checksums.verify()
    }

    #[test]
    fn right_ones_pass_and_wrong_ones_do_not() {
        assert!(check("x-amz-checksum-crc32", "y/Q5Jg==").is_ok());
        assert!(check("x-amz-checksum-crc32c", "4waSgw==").is_ok());
        assert!(
            check(
                "x-amz-checksum-sha256",
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="
            )
            .is_ok()
        );
        assert_eq!(
            check("x-amz-checksum-crc32", "AAAAAA==")
                .unwrap_err()
                .code()
                .as_str(),
            "BadDigest"
        );
        assert!(check("x-other", "y/Q5Jg==").is_ok());
    }
}
