"""A small family of PromQL, evaluated over series in memory as Prometheus 2 does.

Selectors with look-back and offset; rate, increase and other functions of a range;
histogram_quantile; sum, avg, max, min, count, group, topk and bottomk; arithmetic, comparison and
set operators with matching. Anything else raises UnsupportedQueryError.
"""

import numpy as np
import promql_parser

from cli.replay.promql.evaluate import Evaluation
from cli.replay.promql.vectors import EvaluationError, Value
from cli.replay.series import SeriesSet

__all__ = ["EvaluationError", "evaluate"]


def evaluate(
    query: str | promql_parser.Expr, series: SeriesSet, *, start_ms: int, end_ms: int, step_ms: int
) -> Value:
    """Evaluate a query at `start_ms` and every `step_ms` after it, up to `end_ms` included.

    Returns a vector, a scalar or a string, with one number per step. Raises ValueError for a
    text that cannot be parsed, UnsupportedQueryError and EvaluationError otherwise.
    """
    steps = np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64)
    tree = promql_parser.parse(query) if isinstance(query, str) else query
    return Evaluation(series=series, steps=steps).of(tree)
