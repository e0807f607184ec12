"""The rows of the table, in their order, by the names that `--only` takes."""

from bench.figures import Row
from bench.rows import dialects, growth, lists, processes, size, writes

ROWS: dict[str, Row] = {
    "lists": lists.measure,
    "dialects": dialects.measure,
    "creates": writes.measure_many,
    "create": writes.measure_one,
    "mixed": writes.measure_beside_reads,
    "growth": growth.measure,
    "size": size.measure,
    "latency": writes.measure_latency,
    "processes": processes.measure,
}
