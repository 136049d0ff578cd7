//! Statements: SQL as DataFusion has it, and Spark's three for caching.

use datafusion::common::{Result, TableReference, plan_datafusion_err, plan_err};
use datafusion::sql::parser::{DFParser, DFParserBuilder, Statement as Parsed};
use datafusion::sql::sqlparser::ast::Statement as Sql;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;
use mem_store::StorageLevel;

/// One statement.
#[derive(Debug)]
pub enum Statement {
    /// DataFusion's.
    Sql(Box<Parsed>),
    /// `CACHE [LAZY] TABLE name [OPTIONS ('storageLevel' 'MEMORY_ONLY')] [[AS] query]`.
    Cache(Cache),
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

/// A statement that caches a table.
#[derive(Debug)]
pub struct Cache {
    /// What the table is called.
    pub name: TableReference,
    /// Its rows; without it, those of the table that has the name already.
    pub query: Option<Box<Parsed>>,
    /// Whether it is filled when it is first read, and not now.
    pub lazy: bool,
    /// Where its blocks may be; without it, where the session's setting says.
    pub level: Option<StorageLevel>,
}

impl Statement {
    /// Reads one statement.
    ///
    /// # Errors
    /// Where `text` is none, or more than one.
    pub fn parse(text: &str) -> Result<Self> {
        let mut all = Self::parse_all(text)?;
        match (all.pop(), all.is_empty()) {
            (Some(statement), true) => Ok(statement),
            _ => plan_err!("expected one statement; got {text:?}"),
        }
    }

    /// Reads all statements of a text, between which there are semicolons.
    ///
    /// # Errors
    /// Where something in it is no statement.
    pub fn parse_all(text: &str) -> Result<Vec<Self>> {
        let mut parser = DFParserBuilder::new(text).build()?;
        let mut all = Vec::new();
        loop {
            while parser.parser.consume_token(&Token::SemiColon) {}
            if is_at_end(&parser.parser) {
                return Ok(all);
            }
            all.push(Self::parse_next(&mut parser)?);
            if !is_at_end(&parser.parser) {
                let next = parser.parser.peek_token();
                return plan_err!(
                    "expected the end of the statement; got {next}{}",
                    next.span.start
                );
            }
        }
    }

    /// Whether it only reads, so that others like it can run at the same time.
    #[must_use]
    pub fn is_query(&self) -> bool {
        match self {
            Self::Sql(parsed) => {
                matches!(&**parsed, Parsed::Statement(sql) if matches!(**sql, Sql::Query(_)))
            }
            Self::Cache(_) | Self::Uncache { .. } | Self::ClearCache => false,
        }
    }

    fn parse_next(parser: &mut DFParser<'_>) -> Result<Self> {
        let sql = &mut parser.parser;
        if sql.parse_keywords(&[Keyword::CLEAR, Keyword::CACHE]) {
            return Ok(Self::ClearCache);
        }
        if sql.parse_keyword(Keyword::UNCACHE) {
            sql.expect_keyword(Keyword::TABLE)?;
            let if_exists = sql.parse_keywords(&[Keyword::IF, Keyword::EXISTS]);
            let name = table_name(sql)?;
            return Ok(Self::Uncache { name, if_exists });
        }
        if sql.parse_keyword(Keyword::CACHE) {
            return parse_cache(parser).map(Self::Cache);
        }
        parser.parse_statement().map(Box::new).map(Self::Sql)
    }
}

/// What follows `CACHE`.
fn parse_cache(parser: &mut DFParser<'_>) -> Result<Cache> {
    let sql = &mut parser.parser;
    let lazy = match &sql.peek_token().token {
        Token::Word(word) => word.value.eq_ignore_ascii_case("lazy"),
        _ => false,
    };
    if lazy {
        sql.next_token();
    }
    sql.expect_keyword(Keyword::TABLE)?;
    let name = table_name(sql)?;
    let level = if sql.parse_keyword(Keyword::OPTIONS) {
        Some(parse_level(sql)?)
    } else {
        None
    };
    let has_as = sql.parse_keyword(Keyword::AS);
    let query = if has_as || !is_at_end(sql) {
        Some(Box::new(parse_query(parser)?))
    } else {
        None
    };
    Ok(Cache {
        name,
        query,
        lazy,
        level,
    })
}

fn parse_query(parser: &mut DFParser<'_>) -> Result<Parsed> {
    let parsed = parser.parse_statement()?;
    match &parsed {
        Parsed::Statement(sql) if matches!(**sql, Sql::Query(_)) => Ok(parsed),
        _ => plan_err!("CACHE TABLE: expected a query; got {parsed}"),
    }
}

/// `('storageLevel' [=] 'MEMORY_ONLY')`.
fn parse_level(sql: &mut Parser<'_>) -> Result<StorageLevel> {
    sql.expect_token(&Token::LParen)?;
    let key = sql.parse_literal_string()?;
    if !key.eq_ignore_ascii_case("storageLevel") {
        return plan_err!("CACHE TABLE: expected the option 'storageLevel'; got '{key}'");
    }
    let _has_sign = sql.consume_token(&Token::Eq);
    let level = sql.parse_literal_string()?;
    sql.expect_token(&Token::RParen)?;
    level
        .parse()
        .map_err(|error| plan_datafusion_err!("CACHE TABLE: {error}"))
}

fn table_name(sql: &mut Parser<'_>) -> Result<TableReference> {
    let name = sql.parse_object_name(false)?;
    Ok(TableReference::parse_str(&name.to_string()))
}

fn is_at_end(sql: &Parser<'_>) -> bool {
    matches!(sql.peek_token().token, Token::EOF | Token::SemiColon)
}
