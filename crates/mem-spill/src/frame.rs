//! The form of a block on disk.
//!
//! A block is a header of 32 bytes and a payload. All numbers are little-endian:
//!
//! | bytes | content |
//! | --- | --- |
//! | 0..4 | magic, `HSPL` |
//! | 4 | version of this form, 1 |
//! | 5 | codec of this block: 0 none, 1 lz4, 2 zstd |
//! | 6..8 | zero |
//! | 8..12 | length of the data in the block |
//! | 12..16 | length of the payload as stored |
//! | 16..24 | number of the block in its segment, from 0 |
//! | 24..28 | CRC-32 of the payload as stored |
//! | 28..32 | CRC-32 of bytes 0..28 |
//!
//! The header vouches for itself, so that a length is trusted only after its checksum. Blocks of a
//! segment follow each other without gaps: one read fetches a payload and the next header.

use crate::error::Corruption;
use crate::options::Codec;

pub(crate) const HEADER_LEN: usize = 32;
pub(crate) type HeaderBytes = [u8; HEADER_LEN];

const MAGIC: [u8; 4] = *b"HSPL";
const VERSION: u8 = 1;
/// How much of the header its own checksum covers.
const HEADER_CHECKED: usize = 28;

/// How one block is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Raw,
    Lz4,
    Zstd,
}

impl Stored {
    /// How blocks of this codec are stored when they get smaller.
    pub(crate) fn compressed(codec: Codec) -> Self {
        match codec {
            Codec::None => Self::Raw,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd { .. } => Self::Zstd,
        }
    }

    fn id(self) -> u8 {
        match self {
            Self::Raw => 0,
            Self::Lz4 => 1,
            Self::Zstd => 2,
        }
    }

    pub(crate) fn from_id(id: u8) -> Option<Self> {
        [Self::Raw, Self::Lz4, Self::Zstd]
            .into_iter()
            .find(|stored| stored.id() == id)
    }
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) stored: Stored,
    /// Length of the data, in bytes.
    pub(crate) data_len: u32,
    /// Length of the payload on disk, in bytes.
    pub(crate) stored_len: u32,
    /// Which block of its segment this is, from 0.
    pub(crate) number: u64,
    /// CRC-32 of the payload on disk.
    pub(crate) checksum: u32,
}

/// What the block at hand must agree with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    pub(crate) number: u64,
    /// Whether another segment may begin here, with its block 0.
    pub(crate) or_first: bool,
    pub(crate) data_len_max: usize,
    pub(crate) codec: Codec,
}

impl Header {
    /// Where the number of the codec is.
    pub(crate) const CODEC_AT: usize = 5;

    pub(crate) fn to_bytes(self) -> HeaderBytes {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[Self::CODEC_AT] = self.stored.id();
        bytes[8..12].copy_from_slice(&self.data_len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.stored_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.checksum.to_le_bytes());
        let own = crc32fast::hash(&bytes[..HEADER_CHECKED]);
        bytes[HEADER_CHECKED..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    /// Reads a header, and checks that it is whole and is the expected one.
    pub(crate) fn parse(bytes: &HeaderBytes, expected: &Expected) -> Result<Self, Corruption> {
        if bytes[0..4] != MAGIC {
            return Err(Corruption::Magic {
                expected: u32::from_be_bytes(MAGIC),
                found: u32::from_be_bytes(field(bytes, 0)),
            });
        }
        if bytes[4] != VERSION {
            return Err(Corruption::Version {
                expected: VERSION,
                found: bytes[4],
            });
        }
        check(
            "header",
            &bytes[..HEADER_CHECKED],
            u32_at(bytes, HEADER_CHECKED),
        )?;
        let header = Self {
            stored: Stored::from_id(bytes[Self::CODEC_AT]).ok_or(Corruption::Codec {
                expected: expected.codec,
                found: bytes[Self::CODEC_AT],
            })?,
            data_len: u32_at(bytes, 8),
            stored_len: u32_at(bytes, 12),
            number: u64::from_le_bytes(field(bytes, 16)),
            checksum: u32_at(bytes, 24),
        };
        header.agrees_with(expected)?;
        Ok(header)
    }

    /// A header can be whole and yet not belong here: of another segment, or of options that the
    /// reader has no room for.
    fn agrees_with(&self, expected: &Expected) -> Result<(), Corruption> {
        let begins = expected.or_first && self.number == 0;
        if self.number != expected.number && !begins {
            return Err(Corruption::BlockNumber {
                expected: expected.number,
                found: self.number,
            });
        }
        if self.stored != Stored::Raw && self.stored != Stored::compressed(expected.codec) {
            return Err(Corruption::Codec {
                expected: expected.codec,
                found: self.stored.id(),
            });
        }
        let length = |what, found, limit| Corruption::Length { what, found, limit };
        if self.data_len == 0 || self.data_len as usize > expected.data_len_max {
            return Err(length("data", self.data_len, expected.data_len_max));
        }
        let stored_len_max = match self.stored {
            Stored::Raw => self.data_len,
            Stored::Lz4 | Stored::Zstd => self.data_len - 1,
        };
        if self.stored_len > stored_len_max
            || (self.stored == Stored::Raw && self.stored_len < self.data_len)
        {
            return Err(length("payload", self.stored_len, stored_len_max as usize));
        }
        Ok(())
    }

    /// Checks the payload as it was read.
    pub(crate) fn check_payload(&self, payload: &[u8]) -> Result<(), Corruption> {
        check("payload", payload, self.checksum)
    }
}

fn check(what: &'static str, bytes: &[u8], expected: u32) -> Result<(), Corruption> {
    let found = crc32fast::hash(bytes);
    if found == expected {
        Ok(())
    } else {
        Err(Corruption::Checksum {
            what,
            expected,
            found,
        })
    }
}

fn field<const N: usize>(bytes: &HeaderBytes, at: usize) -> [u8; N] {
    bytes[at..at + N]
        .try_into()
        .expect("the slice has the array's length")
}

fn u32_at(bytes: &HeaderBytes, at: usize) -> u32 {
    u32::from_le_bytes(field(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        stored: Stored::Lz4,
        data_len: 1000,
        stored_len: 999,
        number: 7,
        checksum: 0xdead_beef,
    };
    const EXPECTED: Expected = Expected {
        number: 7,
        or_first: false,
        data_len_max: 1000,
        codec: Codec::Lz4,
    };

    #[test]
    fn a_header_comes_back_as_it_was() {
        assert_eq!(Header::parse(&HEADER.to_bytes(), &EXPECTED), Ok(HEADER));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        for bit in 0..HEADER_LEN * 8 {
            let mut bytes = HEADER.to_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let found = Header::parse(&bytes, &EXPECTED).expect_err("a bit was flipped");
            match bit / 8 {
                0..4 => assert!(matches!(found, Corruption::Magic { .. })),
                4 => assert!(matches!(found, Corruption::Version { .. })),
                _ => assert!(matches!(found, Corruption::Checksum { .. })),
            }
        }
    }

    #[test]
    fn a_whole_header_that_does_not_belong_here_is_refused() {
        let parse = |header: Header| Header::parse(&header.to_bytes(), &EXPECTED);
        let number = parse(Header {
            number: 8,
            ..HEADER
        });
        assert_eq!(
            number,
            Err(Corruption::BlockNumber {
                expected: 7,
                found: 8
            })
        );
        assert!(
            parse(Header {
                number: 0,
                ..HEADER
            })
            .is_err()
        );
        let codec = parse(Header {
            stored: Stored::Zstd,
            ..HEADER
        });
        assert_eq!(
            codec,
            Err(Corruption::Codec {
                expected: Codec::Lz4,
                found: 2
            })
        );
        for (stored, data_len, stored_len) in [
            (Stored::Raw, 0, 0),
            (Stored::Raw, 1001, 1001),
            (Stored::Raw, 1000, 999),
            (Stored::Lz4, 1000, 1000),
            (Stored::Lz4, u32::MAX, 5),
            (Stored::Lz4, 5, u32::MAX),
        ] {
            let header = Header {
                stored,
                data_len,
                stored_len,
                ..HEADER
            };
            assert!(
                matches!(parse(header), Err(Corruption::Length { .. })),
                "{header:?}"
            );
        }
    }

    #[test]
    fn where_segments_follow_each_other_block_0_may_come_at_any_time() {
        let expected = Expected {
            or_first: true,
            ..EXPECTED
        };
        for (number, accepted) in [(0, true), (1, false), (6, false), (7, true), (8, false)] {
            let header = Header { number, ..HEADER };
            let parsed = Header::parse(&header.to_bytes(), &expected);
            assert_eq!(parsed.is_ok(), accepted, "block {number}");
        }
    }

    #[test]
    fn an_unknown_codec_is_named() {
        let mut bytes = HEADER.to_bytes();
        bytes[5] = 9;
        let own = crc32fast::hash(&bytes[..HEADER_CHECKED]);
        bytes[HEADER_CHECKED..].copy_from_slice(&own.to_le_bytes());
        let found = Header::parse(&bytes, &EXPECTED);
        assert_eq!(
            found,
            Err(Corruption::Codec {
                expected: Codec::Lz4,
                found: 9
            })
        );
    }
}
