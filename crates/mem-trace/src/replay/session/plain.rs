//! Operations on nothing but numbers and texts.

use mem_block::PageAddress;
use mem_policy::parse_size;

use super::Session;
use crate::format::{Answer, Operation};
use crate::report::Problem;
use crate::spark_errors;

impl Session {
    /// Does an operation for which no memory is needed; none where it is something else.
    pub(super) fn plain_operation(&self, operation: &Operation) -> Result<Option<Answer>, Problem> {
        let answer = match operation {
            Operation::ParseSize { text } => {
                match parse_size(text, self.manager.resolved().policy.release()) {
                    Ok(bytes) => Answer::Bytes { bytes },
                    Err(error) => spark_errors::of_size(&error).into(),
                }
            }
            Operation::EncodeStatic { page, offset } => {
                let page = u16::try_from(*page);
                let page =
                    page.map_err(|_large| Problem::sense("a page number of more than 16 bits"))?;
                let address = PageAddress::wrapping(page, *offset).to_raw().to_string();
                Answer::Address { address }
            }
            Operation::Decode { address } => {
                let raw = address.parse();
                let raw = raw.map_err(|error| {
                    Problem::sense(format!("{address:?} is no address: {error}"))
                })?;
                let address = PageAddress::from_raw(raw);
                Answer::Decoded {
                    page: address.page().into(),
                    offset: address.offset(),
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }
}
