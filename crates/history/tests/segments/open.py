"""Opens segments with DuckDB and with pandas, as anybody would, and holds them against what was written.

open.py FOLDER ROWS BYTES TARGET ROWS-OF-TARGET ROWS-WITHOUT-ASN FIRST-NANOSECOND
"""

import sys

import duckdb
import pandas

folder, rows, octets, target, of_target, without_asn, first = sys.argv[1:]
rows, octets, of_target, without_asn, first = map(int, (rows, octets, of_target, without_asn, first))

duck = duckdb.connect()
samples = f"read_parquet('{folder}/*/*.parquet')"
found = duck.sql(
    f"""select count(*), sum(bytes), count(*) filter (target = '{target}'), count(*) filter (asn is null),
    epoch_ns(min(time)) from {samples}"""
).fetchall()[0]
# DuckDB's instants with a time zone have microseconds.
assert found[:4] == (rows, octets, of_target, without_asn), found
assert found[4] // 1000 == first // 1000, found
types = dict((name, kind) for name, kind, *_ in duck.sql(f"describe select * from {samples}").fetchall())
assert types["target"] == types["foreign"] == types["class"] == "VARCHAR", types
assert types["bytes"] == "UBIGINT" and types["proto"] == "UTINYINT" and types["time"].startswith("TIMESTAMP"), types
top = duck.sql(f"select class, sum(packets) from {samples} where attack is not null group by all order by 2 desc").fetchall()
assert len(top) == 5 and top[0][1] > 0, top
print("duckdb", duckdb.__version__, found)

frame = pandas.read_parquet(folder)
assert len(frame) == rows and int(frame["bytes"].sum()) == octets, frame.describe()
assert int((frame["target"] == target).sum()) == of_target
assert int(frame["asn"].isna().sum()) == without_asn
assert str(frame["time"].dt.tz) == "UTC" and frame["time"].min().value == first, frame.dtypes
# Each spill is sorted by target, as addresses are ordered, then by time.
print("pandas", pandas.__version__, frame.groupby("class", observed=True)["packets"].sum().to_dict())
