/* The spans of a run, found by peer and phase: what to draw of them in a window of time, and
   which one is at a moment. Pure: arrays in, arrays out. A span is known by its row in the
   table. */
"use strict";

(function () {
  /**
   * Sort rows of a table with `begin` and `end` (seconds) into lists by `keyOf(row)`, each in order
   * of begin.
   * Returns Map key -> {begin: Float64Array, end: Float64Array, row: Uint32Array}.
   */
  function listsBy(n, begin, end, keyOf) {
    const rowsOf = new Map();
    for (let row = 0; row < n; row += 1) {
      if (begin[row] === null || end[row] === null) continue;
      const key = keyOf(row);
      const rows = rowsOf.get(key);
      if (rows) rows.push(row);
      else rowsOf.set(key, [row]);
    }
    const lists = new Map();
    for (const [key, rows] of rowsOf) {
      rows.sort((a, b) => begin[a] - begin[b]);
      lists.set(key, {
        begin: Float64Array.from(rows, (row) => begin[row]),
        end: Float64Array.from(rows, (row) => end[row]),
        row: Uint32Array.from(rows),
      });
    }
    return lists;
  }

  /** The first place in an ascending array whose value is greater than x. */
  function firstAfter(values, x) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] > x) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /**
   * What to draw of a list between two moments: begin, end of each bar, one after the other, cut
   * off at the window. Bars that lie closer than `resolution_s` are drawn as one: a pixel cannot
   * show the gap.
   */
  function bars(list, from_s, to_s, resolution_s) {
    const drawn = [];
    let last = -1;
    const stop = firstAfter(list.begin, to_s);
    // Spans of one peer and phase follow each other, so their ends ascend, too.
    for (let i = firstAfter(list.end, from_s); i < stop; i += 1) {
      const begin = Math.max(list.begin[i], from_s);
      const end = Math.min(list.end[i], to_s);
      if (last >= 0 && begin - drawn[last] < resolution_s) {
        drawn[last] = Math.max(drawn[last], end);
      } else {
        drawn.push(begin, end);
        last = drawn.length - 1;
      }
    }
    return drawn;
  }

  /**
   * The row of the span of a list at a moment, or the nearest one at most `slack_s` away; -1 if
   * there is none.
   */
  function rowAt(list, t_s, slack_s) {
    const after = firstAfter(list.begin, t_s);
    let best = -1;
    let distance = slack_s;
    for (const i of [after - 1, after]) {
      if (i < 0 || i >= list.begin.length) continue;
      const away = Math.max(list.begin[i] - t_s, t_s - list.end[i], 0);
      if (away <= distance && (best < 0 || away < distance)) {
        best = list.row[i];
        distance = away;
      }
    }
    return best;
  }

  /**
   * The moments of one peer at which nothing is recorded for `least_s` or more: [begin, end, ..]
   * from its lists.
   */
  function gaps(lists, until_s, least_s) {
    const spans = [];
    for (const list of lists)
      for (let i = 0; i < list.begin.length; i += 1) spans.push([list.begin[i], list.end[i]]);
    spans.sort((a, b) => a[0] - b[0]);
    const found = [];
    let covered_s = spans.length ? spans[0][0] : until_s;
    for (const [begin, end] of spans) {
      if (begin - covered_s >= least_s) found.push(covered_s, begin);
      covered_s = Math.max(covered_s, end);
    }
    if (until_s - covered_s >= least_s) found.push(covered_s, until_s);
    return found;
  }

  prisam.spanIndex = { listsBy, firstAfter, bars, rowAt, gaps };
})();
