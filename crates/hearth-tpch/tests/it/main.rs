//! Tables have the rows that the specification says, however they are divided or written.

use std::fs::File;

use hearth_tpch::arrow::array::RecordBatch;
use hearth_tpch::{QUERIES, Table, file_of, write_parquet};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

const SCALE: f64 = 0.01;

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}

#[test]
fn files_have_the_rows_of_the_specification() {
    let directory = tempfile::tempdir().unwrap();
    write_parquet(SCALE, directory.path()).unwrap();
    let read = Table::ALL.map(|table| {
        let file = File::open(file_of(table, directory.path())).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.schema(), &table.schema());
        let batches: Vec<_> = reader.build().unwrap().map(Result::unwrap).collect();
        rows(&batches)
    });
    assert_eq!(read, [5, 25, 100, 1500, 2000, 8000, 15000, 60175]);
}

#[test]
fn partitions_have_each_row_once() {
    for table in Table::ALL {
        let whole: Vec<_> = table.batches(SCALE, 1000).map(Result::unwrap).collect();
        let divided = table.partitions(SCALE, 1000, 4).unwrap();
        assert_eq!(divided.len(), 4);
        let divided: Vec<_> = divided.into_iter().flatten().collect();
        let first = |batches: &[RecordBatch]| batches[0].slice(0, 5);
        assert_eq!(first(&divided), first(&whole), "{}", table.name());
        assert_eq!(rows(&divided), rows(&whole), "{}", table.name());
    }
}

#[test]
fn every_query_reads_a_table() {
    for (text, number) in QUERIES.iter().zip(1..) {
        let named = Table::ALL
            .iter()
            .filter(|table| text.contains(table.name()));
        assert!(named.count() > 0, "query {number}");
        assert!(!text.contains(';'), "query {number} is one statement");
    }
}
