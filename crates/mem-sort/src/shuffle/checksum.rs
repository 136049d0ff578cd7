//! Checksums of the partitions of a shuffle's data file.

use std::fmt;

use adler2::Adler32;

/// The checksum of a partition (Spark: `spark.shuffle.checksum.algorithm`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChecksumAlgorithm {
    /// Adler-32, Spark's default. Of no bytes it is 1.
    #[default]
    Adler32,
    /// CRC-32, the one of zlib. Of no bytes it is 0.
    Crc32,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Adler32, Self::Crc32];

    /// Its name in Spark: `ADLER32` or `CRC32`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adler32 => "ADLER32",
            Self::Crc32 => "CRC32",
        }
    }
}

impl fmt::Display for ChecksumAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A checksum of the bytes shown so far.
pub(crate) enum Checksum {
    Adler32(Adler32),
    Crc32(crc32fast::Hasher),
}

impl Checksum {
    pub(crate) fn new(algorithm: ChecksumAlgorithm) -> Self {
        match algorithm {
            ChecksumAlgorithm::Adler32 => Self::Adler32(Adler32::new()),
            ChecksumAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Adler32(sum) => sum.write_slice(bytes),
            Self::Crc32(sum) => sum.update(bytes),
        }
    }

    pub(crate) fn value(self) -> u32 {
        match self {
            Self::Adler32(sum) => sum.checksum(),
            Self::Crc32(sum) => sum.finalize(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_are_those_of_zlib() {
        for (algorithm, of_nothing, of_digits) in [
            (ChecksumAlgorithm::Adler32, 1, 0x091e_01de),
            (ChecksumAlgorithm::Crc32, 0, 0xcbf4_3926),
        ] {
            assert_eq!(Checksum::new(algorithm).value(), of_nothing);
            let mut sum = Checksum::new(algorithm);
            sum.update(b"1234");
            sum.update(b"56789");
            assert_eq!(sum.value(), of_digits, "{algorithm}");
        }
    }
}
