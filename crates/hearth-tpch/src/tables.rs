//! The eight tables.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::arrow::array::RecordBatch;
use tpchgen_arrow::arrow::datatypes::SchemaRef;
use tpchgen_arrow::arrow::error::ArrowError;
use tpchgen_arrow::arrow::record_batch::RecordBatchReader;
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

/// One of TPC-H's tables. Columns have the specification's names; strings are string views, amounts are
/// decimals of two places, keys are 64 bits wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// Five rows at any scale.
    Region,
    /// 25 rows at any scale.
    Nation,
    /// 10,000 rows at scale 1.
    Supplier,
    /// 150,000 rows at scale 1.
    Customer,
    /// 200,000 rows at scale 1.
    Part,
    /// 800,000 rows at scale 1.
    PartSupp,
    /// 1,500,000 rows at scale 1.
    Orders,
    /// About 6,000,000 rows at scale 1.
    LineItem,
}

impl Table {
    /// All of them, smallest first.
    pub const ALL: [Self; 8] = [
        Self::Region,
        Self::Nation,
        Self::Supplier,
        Self::Customer,
        Self::Part,
        Self::PartSupp,
        Self::Orders,
        Self::LineItem,
    ];

    /// What queries call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Nation => "nation",
            Self::Supplier => "supplier",
            Self::Customer => "customer",
            Self::Part => "part",
            Self::PartSupp => "partsupp",
            Self::Orders => "orders",
            Self::LineItem => "lineitem",
        }
    }

    /// Its columns.
    #[must_use]
    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Region => RegionArrow::schema_ref(),
            Self::Nation => NationArrow::schema_ref(),
            Self::Supplier => SupplierArrow::schema_ref(),
            Self::Customer => CustomerArrow::schema_ref(),
            Self::Part => PartArrow::schema_ref(),
            Self::PartSupp => PartSuppArrow::schema_ref(),
            Self::Orders => OrderArrow::schema_ref(),
            Self::LineItem => LineItemArrow::schema_ref(),
        }
    }

    /// Its rows at `scale`, in batches of `rows`.
    #[must_use]
    pub fn batches(self, scale: f64, rows: usize) -> Box<dyn RecordBatchReader + Send> {
        self.part(scale, rows, (1, 1))
    }

    /// Its rows at `scale` in batches of `rows`, divided among `count` partitions. Together they have
    /// each row once.
    ///
    /// # Errors
    /// Arrow's.
    pub fn partitions(
        self,
        scale: f64,
        rows: usize,
        count: i32,
    ) -> Result<Vec<Vec<RecordBatch>>, ArrowError> {
        // The smallest ones can't be divided: their maker gives all rows for each part.
        let parts = match self {
            Self::Region | Self::Nation => 1,
            _ => count,
        };
        let filled = (1..=parts).map(|part| self.part(scale, rows, (part, parts)).collect());
        let empty = (parts..count).map(|_| Ok(Vec::new()));
        filled.chain(empty).collect()
    }

    /// Part `part` of `parts`, the first of which is 1.
    fn part(
        self,
        scale: f64,
        rows: usize,
        (part, parts): (i32, i32),
    ) -> Box<dyn RecordBatchReader + Send> {
        macro_rules! made {
            ($batches:ident, $rows:ident) => {
                Box::new($batches::new($rows::new(scale, part, parts)).with_batch_size(rows))
            };
        }
        match self {
            Self::Region => made!(RegionArrow, RegionGenerator),
            Self::Nation => made!(NationArrow, NationGenerator),
            Self::Supplier => made!(SupplierArrow, SupplierGenerator),
            Self::Customer => made!(CustomerArrow, CustomerGenerator),
            Self::Part => made!(PartArrow, PartGenerator),
            Self::PartSupp => made!(PartSuppArrow, PartSuppGenerator),
            Self::Orders => made!(OrderArrow, OrderGenerator),
            Self::LineItem => made!(LineItemArrow, LineItemGenerator),
        }
    }
}
