/* Lines by peer out of a table's columns, and their means. Pure. */
"use strict";

(function () {
  const mean = (values) =>
    values.length ? values.reduce((sum, each) => sum + each, 0) / values.length : null;

  /**
   * Return peer -> [[x, y, round]], by round; a row without x or y is left out. `keep(i)` tells
   * whether row i counts.
   */
  function linesOf(table, x, y, keep = () => true) {
    const { peer, round, [x]: xs, [y]: ys } = table.columns;
    const lines = new Map();
    if (!xs || !ys) return lines;
    for (const i of table.order()) {
      if (!keep(i) || xs[i] === null || ys[i] === null) continue;
      if (!lines.has(peer[i])) lines.set(peer[i], []);
      lines.get(peer[i]).push([xs[i], ys[i], round[i]]);
    }
    return lines;
  }

  /**
   * Return by round the means of x and y over lines, the lowest and highest y, and their number.
   */
  function spread(lines) {
    const rounds = new Map();
    for (const line of lines) {
      for (const [x, y, round] of line) {
        if (!rounds.has(round)) rounds.set(round, { xs: [], ys: [] });
        rounds.get(round).xs.push(x);
        rounds.get(round).ys.push(y);
      }
    }
    return [...rounds]
      .sort((a, b) => a[0] - b[0])
      .map(([round, { xs, ys }]) => ({
        round,
        x: mean(xs),
        y: mean(ys),
        low: Math.min(...ys),
        high: Math.max(...ys),
        n: ys.length,
      }));
  }

  /**
   * Return many lines as the data of one series: a point without a value ends a peer's line. An
   * item is [x, y, peer, round, ...more].
   */
  function broken(lines, ...more) {
    const data = [];
    for (const [peer, line] of lines) {
      for (const [x, y, round] of line) data.push([x, y, peer, round, ...more]);
      data.push([null, null, peer, null, ...more]);
    }
    return data;
  }

  prisam.series = { mean, linesOf, spread, broken };
})();
