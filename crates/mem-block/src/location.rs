//! Where a block lies, in Spark's two-part form: an object and an offset in it, or an address.

/// Offset of a heap block's first byte in its object, in bytes.
///
/// Spark's heap blocks are `long[]` arrays whose elements start after a header of 16 bytes, and the
/// header shows in every address it encodes. Hearth has no header; it keeps the number, so that its
/// addresses are Spark's.
pub const ARRAY_BASE_OFFSET: u64 = 16;

/// Identity of the memory behind a heap block: the counterpart of Spark's reference to the array.
///
/// Two blocks that live at the same time have different identities. Memory that is used again for
/// a later block keeps its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectId(u64);

impl ObjectId {
    /// An identity of the caller's choice, for page tables that are tested without memory.
    pub const fn new(id: u64) -> Self {
        Self(id)
    }
}

/// Where a block starts (Spark: `MemoryLocation`). It doesn't own or keep alive what it names.
///
/// | mode | object | offset |
/// | --- | --- | --- |
/// | on-heap | the identity of the memory | bytes from the object's start, from [`ARRAY_BASE_OFFSET`] |
/// | off-heap | none | the absolute address |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MemoryLocation {
    object: Option<ObjectId>,
    offset: u64,
}

impl MemoryLocation {
    /// The start of a heap object's data.
    pub const fn on_heap(object: ObjectId) -> Self {
        Self {
            object: Some(object),
            offset: ARRAY_BASE_OFFSET,
        }
    }

    /// An absolute address.
    pub const fn off_heap(address: u64) -> Self {
        Self {
            object: None,
            offset: address,
        }
    }

    /// The heap object, or none off heap (Spark: `getBaseObject`).
    pub const fn object(self) -> Option<ObjectId> {
        self.object
    }

    /// Bytes from the object's start, or the absolute address off heap (Spark: `getBaseOffset`).
    pub const fn offset(self) -> u64 {
        self.offset
    }

    /// Offset of the byte that lies `index` bytes after this location, or none past 64 bits.
    pub const fn offset_of(self, index: u64) -> Option<u64> {
        self.offset.checked_add(index)
    }

    /// Bytes from this location to `offset`, or none if `offset` lies before it.
    pub const fn index_of(self, offset: u64) -> Option<u64> {
        offset.checked_sub(self.offset)
    }
}
