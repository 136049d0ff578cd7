//! The ladder's table.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use datafusion::datasource::MemTable;

/// Rows to a key, about.
const ROWS_PER_KEY: usize = 4;
const BATCH_ROWS: usize = 8192;

/// A table of `rows` rows in `partitions` partitions: a key that comes four times or so, a number, and 16
/// letters, in no order.
pub(crate) fn table(rows: usize, partitions: usize) -> Result<Arc<MemTable>> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("a", DataType::Int64, false),
        Field::new("b", DataType::Int64, false),
        Field::new("c", DataType::Utf8, false),
    ]));
    let (each, keys) = (rows / partitions, rows / ROWS_PER_KEY);
    let keys = i64::try_from(keys).unwrap_or(i64::MAX).max(1);
    let partition = |partition: usize| {
        let starts = (0..each).step_by(BATCH_ROWS);
        let batch = |start: usize| {
            let end = each.min(start + BATCH_ROWS);
            let rows = (start..end).map(|row| partition * each + row);
            let key = Int64Array::from_iter_values(rows.clone().map(|row| number(row) % keys));
            let numbers = Int64Array::from_iter_values(rows.clone().map(number));
            let letters = rows.map(|row| format!("{:016x}", number(row)));
            let letters = StringArray::from_iter_values(letters);
            let columns: Vec<datafusion::arrow::array::ArrayRef> =
                vec![Arc::new(key), Arc::new(numbers), Arc::new(letters)];
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        };
        starts.map(batch).collect::<Result<Vec<_>>>()
    };
    let partitions = (0..partitions).map(partition).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(MemTable::try_new(schema, partitions)?))
}

/// A number below 2^44 for each row, another one for each of the first 2^44 rows.
fn number(row: usize) -> i64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let row = u64::try_from(row).unwrap_or(u64::MAX);
    i64::try_from(row.wrapping_mul(ODD) >> 20).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::number;

    #[test]
    fn rows_have_numbers_of_their_own() {
        let numbers: HashSet<_> = (0..100_000).map(number).collect();
        assert_eq!(numbers.len(), 100_000);
    }
}
