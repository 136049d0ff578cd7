//! The parts of the reference that are not tables.

/// Before the tables.
pub(super) const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `reference_markdown()` of mem-policy; change it there, then run its tests with UPDATE_DOCS=1. -->

Hearth takes Spark's own settings, and a few of its own that begin with `hearth.`.
They come from a file, from `--set KEY=VALUE`, or from code through `MemoryConfig`; a later one replaces an earlier one.

## Files

A file is TOML (`.toml`) or has the form of `spark-defaults.conf` (`.conf`, `.properties`).
With another extension, the text decides.

In TOML, a key is written flat and quoted, or as tables and dotted keys:

```toml
\"spark.executor.memory\" = \"2g\"

[spark.memory]
fraction = 0.75
offHeap.enabled = true
offHeap.size = \"1g\"
```

`spark.testing` is a setting, and the beginning of others; TOML wants those quoted.
A TOML file that gives a key twice is refused; in the other form the last one counts, with a warning.

## Values

- A *size* is digits and a unit, with no space between and no fraction: `b`, `k`, `m`, `g`, `t`, `p`, each also with `b` or `ib` (`64m`, `64mb`, `64mib`), all powers of 1024.
  Without a unit it counts bytes; where Spark would count in something else, the unit is required.
- A *whole number* has no unit, also where it counts bytes.
- A *time* is digits and a unit: `us`, `ms`, `s`, `m` or `min`, `h`, `d`.
- A *number* or *fraction* is what Spark takes for one: `0.6`, `6e-1`, `.6`.
- `true` and `false` can be in any case.

## Keys

There is no JVM.
The *heap* is `spark.executor.memory`, or `spark.testing.memory` where that is given; on-heap memory comes from the process's allocator, off-heap memory from anonymous mappings.
`hearth explain` shows what a configuration comes to, with the arithmetic.
";

/// Between the keys and the refusals.
pub(super) const REFUSED: &str = "
## What is refused although Spark takes it

A configuration is checked before Spark's arithmetic sees it.
Everything that Spark refuses is refused too, and so is this.
A recorded configuration that is replayed is not checked this way: it gives what Spark gave.
";

/// After the refusals.
pub(super) const NOTES: &str = "
A key is refused as unknown when it begins like the settings above (`hearth.`, `spark.memory.`, `spark.testing`, `spark.storage.`, `spark.shuffle.`, `spark.unsafe`, `spark.buffer`, `spark.executor.memory`, `spark.driver.memory`), when it is within two edits of one of them, or when it begins with neither `spark.` nor `hearth.`; the message names the nearest known key.
References to other settings, `${...}`, are not expanded.

## What is taken with a note

- Settings of Spark's that have nothing to do with memory management (`spark.app.name`, `spark.sql.…`, `spark.shuffle.service.…`): ignored.
- Settings that are known and have no effect: checked, otherwise ignored.
- Settings of the static manager without `spark.memory.useLegacyMode`, and of the unified manager with it: a warning.
- `spark.memory.offHeap.size` without `spark.memory.offHeap.enabled`: a warning.
  As in Spark the off-heap regions are sized, and no page comes from them.
- `spark.executor.memory` beside `spark.testing.memory`: a warning.
  As in Spark it does not size the heap then, and must still be large enough.
- The old name `spark.unsafe.offHeap`: a warning.
";
