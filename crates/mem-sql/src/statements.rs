//! Statements: SQL as DataFusion has it, and Spark's three for caching.

use datafusion::common::{Result, TableReference, exec_err, plan_datafusion_err};

use datafusion::sql::parser::{DFParser, Statement as Parsed};
use datafusion::sql::sqlparser::ast::{ObjectName, Statement as Sql};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// One statement.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for a statement of a person"
)]
pub enum Statement {
    /// DataFusion's.
    Sql(Parsed),
    /// `CACHE [LAZY] TABLE name [[AS] query]`.
    Cache {
        /// What the table is called.
        name: TableReference,
        /// Its rows; without it, those of the table that has the name already.
        query: Option<Parsed>,
        /// Whether it is filled when it is first read, and not now.
        lazy: bool,
    },
    /// `UNCACHE TABLE [IF EXISTS] name`.
    Uncache {
        /// What the table is called.
        name: TableReference,
        /// Whether it is no error where there is none.
        if_exists: bool,
    },
    /// `CLEAR CACHE`.
    ClearCache,
}

impl Statement {
    /// Reads one statement.
    ///
    /// # Errors
    /// Where `text` is none, or more than one.
    pub fn parse(text: &str) -> Result<Self> {
        let mut words = text.trim_end_matches(';').split_whitespace();
        let is = |word: Option<&str>, wanted: &str| {
            word.is_some_and(|word| word.eq_ignore_ascii_case(wanted))
        };
        if is(words.next(), "CLEAR") && is(words.next(), "CACHE") && words.next().is_none() {
            return Ok(Self::ClearCache);
        }
        let mut parsed = DFParser::parse_sql(text)?;
        let (Some(statement), true) = (parsed.pop_front(), parsed.is_empty()) else {
            return exec_err!("expected one statement; got {:?}", text);
        };
        match statement {
            Parsed::Statement(sql) => Self::of(*sql),
            other => Ok(Self::Sql(other)),
        }
    }

    fn of(sql: Sql) -> Result<Self> {
        match sql {
            Sql::Cache {
                table_flag,
                table_name,
                options,
                query,
                ..
            } => {
                let flag = table_flag.map(|flag| flag.to_string());
                let lazy = match flag.as_deref() {
                    None => false,
                    Some(lazy) if lazy.eq_ignore_ascii_case("lazy") => true,
                    Some(other) => return exec_err!("expected CACHE [LAZY] TABLE; got {other}"),
                };
                if !options.is_empty() {
                    return exec_err!(
                        "CACHE TABLE takes no OPTIONS: blocks go from memory to disk"
                    );
                }
                Ok(Self::Cache {
                    name: reference(&table_name)?,
                    query: query.map(|query| Parsed::Statement(Box::new(Sql::Query(query)))),
                    lazy,
                })
            }
            Sql::UNCache {
                table_name,
                if_exists,
            } => Ok(Self::Uncache {
                name: reference(&table_name)?,
                if_exists,
            }),
            other => Ok(Self::Sql(Parsed::Statement(Box::new(other)))),
        }
    }
}

fn reference(name: &ObjectName) -> Result<TableReference> {
    Ok(TableReference::parse_str(&name.to_string()))
}

/// The statements of a text, between which there are semicolons.
///
/// # Errors
/// Where a text or a comment in it does not end.
pub fn split(text: &str) -> Result<Vec<String>> {
    let mut tokenizer = Tokenizer::new(&GenericDialect {}, text).with_unescape(false);
    let tokens = tokenizer
        .tokenize()
        .map_err(|error| plan_datafusion_err!("{error}"))?;
    let statements = tokens.split(|token| *token == Token::SemiColon);
    let texts = statements.filter_map(|statement| {
        let is_said = |token: &Token| !matches!(token, Token::Whitespace(_) | Token::EOF);
        let text = || {
            statement
                .iter()
                .map(ToString::to_string)
                .collect::<String>()
        };
        statement
            .iter()
            .any(is_said)
            .then(|| text().trim().to_owned())
    });
    Ok(texts.collect())
}
