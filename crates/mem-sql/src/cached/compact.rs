//! Batches that hold no more memory than they say.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, MutableArrayData, RecordBatch, RecordBatchOptions, make_array,
};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

/// A copy of a batch. What has been decoded points into its block, and DataFusion's operators, which add
/// up the buffers of what they keep, would count the block once for each of them.
pub(super) fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    with_columns(batch, batch.schema(), |column| match gathered(column) {
        Some(gathered) => Ok(gathered),
        None => copy(column),
    })
}

/// A batch as it can be written: of columns of views, the writer would write all the text that there is
/// where they point to.
pub(super) fn writable(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    with_columns(batch, Arc::clone(schema), |column| {
        Ok(gathered(column).unwrap_or_else(|| Arc::clone(column)))
    })
}

fn copy(column: &ArrayRef) -> Result<ArrayRef> {
    let data = column.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, column.len());
    copy.try_extend(0, 0, column.len())?;
    Ok(make_array(copy.freeze()))
}

/// A column of views with the text that it points to, and no other. `None` for other columns.
fn gathered(column: &ArrayRef) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::Utf8View => Some(Arc::new(column.as_string_view().gc())),
        DataType::BinaryView => Some(Arc::new(column.as_binary_view().gc())),
        _ => None,
    }
}

fn with_columns(
    batch: &RecordBatch,
    schema: SchemaRef,
    change: impl Fn(&ArrayRef) -> Result<ArrayRef>,
) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(change);
    let columns = columns.collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        schema, columns, &options,
    )?)
}

/// About how many bytes the rows of a batch are, whatever else is in its buffers.
pub(super) fn row_bytes(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let bytes = columns.map(|column| match column.data_type() {
        DataType::Utf8View => text_bytes(column.as_string_view().lengths()),
        DataType::BinaryView => text_bytes(column.as_binary_view().lengths()),
        // A type that can't be measured counts as nothing.
        _ => column.to_data().get_slice_memory_size().unwrap_or(0),
    });
    bytes.sum()
}

/// Of views to texts of these lengths.
fn text_bytes(lengths: impl Iterator<Item = u32>) -> usize {
    let length = |length| usize::try_from(length).unwrap_or(usize::MAX);
    lengths.map(|bytes| length(bytes).saturating_add(16)).sum()
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{
        DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
    };
    use datafusion::arrow::datatypes::{Field, Int32Type, Int64Type};

    use super::*;

    #[test]
    fn a_copy_is_equal_and_no_larger_than_its_rows() {
        let words: Vec<_> = (0..10_000).map(|n| format!("word number {n}")).collect();
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter(
            (0..10_000).map(|n| (n % 7 > 0).then_some(n)),
        ));
        let field = Arc::new(Field::new("n", DataType::Int64, true));
        let lists = (0..10_000).map(|n| (n % 3 > 0).then(|| vec![Some(n), None]));
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("numbers", Arc::clone(&numbers)),
            ("words", Arc::new(StringArray::from(words.clone()))),
            ("views", Arc::new(StringViewArray::from_iter_values(&words))),
            (
                "structs",
                Arc::new(StructArray::from(vec![(field, numbers)])),
            ),
            (
                "lists",
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
            ),
            (
                "dictionary",
                Arc::new(
                    words
                        .iter()
                        .map(|w| &w[..13])
                        .collect::<DictionaryArray<Int32Type>>(),
                ),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let slice = batch.slice(100, 50);
        let copy = compact(&slice).unwrap();
        assert_eq!(copy, slice);
        let size = |batch: &RecordBatch, name: &str| {
            batch.column_by_name(name).unwrap().get_array_memory_size()
        };
        let without = slice.project(&[0, 1, 2]).unwrap();
        let bytes = row_bytes(&without);
        assert!((2_000..6_000).contains(&bytes), "{bytes}");
        assert!(size(&writable(&slice, &slice.schema()).unwrap(), "views") < 10_000);
        for name in ["numbers", "words", "views", "structs", "lists"] {
            assert!(size(&slice, name) > 50_000, "{name}");
            assert!(size(&copy, name) < 10_000, "{name}: {}", size(&copy, name));
        }
    }
}
