"""Sorts the lines of a file with one of the Python wheels: peers.py NAME INPUT OUTPUT MEMORY TEMP.

MEMORY is a limit in bytes, which polars does not have. Prints the seconds that reading, sorting and
writing took, without starting Python and loading the library.
"""

import sys
import time

NAME, INPUT, OUTPUT, MEMORY, TEMP = sys.argv[1:]
# A byte that the input does not have: each line is one column.
NO_SEPARATOR = "\x01"


def duckdb():
    import duckdb

    limit = f"{int(MEMORY)}B"
    config = {"memory_limit": limit, "threads": 2, "temp_directory": TEMP}
    connection = duckdb.connect(config=config)
    connection.execute("SET preserve_insertion_order = false")

    def sort():
        connection.execute(
            f"""COPY (SELECT line FROM read_csv('{INPUT}', columns = {{'line': 'VARCHAR'}},
                header = false, auto_detect = false, delim = '{NO_SEPARATOR}', quote = '',
                escape = '', new_line = '\\n') ORDER BY line)
                TO '{OUTPUT}' (FORMAT csv, HEADER false, DELIMITER '{NO_SEPARATOR}')"""
        )

    return sort


def datafusion():
    import os

    import pyarrow
    from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext

    os.environ["TMPDIR"] = TEMP
    runtime = RuntimeEnvBuilder().with_disk_manager_os().with_fair_spill_pool(int(MEMORY))
    config = SessionConfig({"datafusion.optimizer.repartition_file_scans": "true"})
    config = config.with_target_partitions(2)
    context = SessionContext(config, runtime)
    schema = pyarrow.schema([("line", pyarrow.string())])
    context.register_csv(
        "lines", INPUT, schema=schema, has_header=False, delimiter=NO_SEPARATOR, file_extension=".txt"
    )

    def sort():
        lines = context.sql("SELECT line FROM lines ORDER BY line")
        lines.write_csv(OUTPUT + ".csv", with_header=False)
        written = OUTPUT + ".csv"
        if os.path.isdir(written):
            parts = [os.path.join(written, part) for part in os.listdir(written)]
            assert len(parts) == 1, parts
            os.replace(parts[0], OUTPUT)
            os.rmdir(written)
        else:
            os.replace(written, OUTPUT)

    return sort


def polars():
    import polars

    def sort():
        lines = polars.scan_csv(
            INPUT, separator=NO_SEPARATOR, has_header=False, quote_char=None, schema={"line": polars.String}
        )
        lines.sort("line").sink_csv(OUTPUT, include_header=False, quote_style="never")

    return sort


work = {"duckdb": duckdb, "datafusion": datafusion, "polars": polars}[NAME]()
start = time.monotonic()
work()
print(time.monotonic() - start)
