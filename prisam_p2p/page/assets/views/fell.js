/* View 4: who fell, and when. Peers x rounds; the colour is what aggregation did to accuracy. */
"use strict";

(function () {
  const { matrix, text } = prisam;
  const { TRAINED, AVERAGED, AGGREGATED } = prisam.charts.MOMENTS;
  const { modelOf, deepest, nothing, points } = prisam.fellModel;
  const LEAST = 0.01; // a scale that ends earlier would make noise look like a fall
  const seen = { cells: null, figure: null };
  let paused = { rows: null, keys: new Set() }; // rounds that were sat out, as "peer round"

  /** Where the scale ends: at twice the deepest fall, so that large gains do not hide the falls. */
  function endOf(known) {
    const deepest = -Math.min(0, ...known);
    return Math.min(Math.max(LEAST, deepest * 2), Math.max(LEAST, ...known.map(Math.abs)));
  }

  function build(c) {
    const { store, controls } = c;
    const model = modelOf(store, controls.measure);
    const known = model.changes.filter((change) => change !== null);
    if (!known.length) return { option: null, empty: nothing(store) };
    seen.figure = { model, measure: controls.measure };
    const n = model.peers.length;
    return {
      option: optionOf(c, model, known),
      height: Math.max(180, 92 + n * (n <= 40 ? 22 : 7)),
      table: () => tableOf(store, model),
      summary: summaryOf(store, model, known),
    };
  }

  function optionOf({ store, selection, palette }, model, known) {
    const { peers, rounds, changes } = model;
    const most = endOf(known);
    const scale = matrix.scaleOf(palette.scale("diverging"), -most, most);
    return {
      tooltip: null,
      grid: { top: 46, bottom: 46, left: 8, right: 16, containLabel: true },
      xAxis: {
        type: "category",
        data: Array.from({ length: rounds }, (_, round) => String(round)),
        ...prisam.charts.axisName("round"),
        axisTick: { show: false },
      },
      yAxis: {
        type: "category",
        inverse: true,
        data: peers.map((peer) => prisam.charts.peerName(store, peer)),
        axisTick: { show: false },
      },
      visualMap: matrix.legend(scale, (end) => endInWords(end, known)),
      series: [
        matrix.cellSeries({
          columns: rounds,
          rows: peers.length,
          values: changes,
          scale,
          palette,
          seen,
          words: (change) => (change * 100).toFixed(1).replace("-", "−"),
          striped: (change) => change < 0,
        }),
        matrix.cornerSeries(rounds, peers.length, troubled(store, peers, rounds), palette),
        matrix.pauseSeries(rounds, peers.length, matrix.pausesOf(store, peers, rounds), palette),
        matrix.frameSeries(rounds, peers.length, frames(selection, peers, rounds, palette)),
      ],
    };
  }

  function endInWords(end, known) {
    const beyond = known.some((change) => (end < 0 ? change < end : change > end));
    return points(end) + (beyond ? " or more" : "");
  }

  const tableOf = (store, { peers, rounds, at, changes }) => ({
    columns: ["peer", "round", "trained", "averaged", "aggregated", "change", "sat_out"],
    rows: peers.flatMap((peer, row) =>
      Array.from({ length: rounds }, (_, round) => [
        store.peerId(peer),
        round,
        ...[TRAINED, AVERAGED, AGGREGATED].map((moment) => at(peer, round, moment)),
        changes[row * rounds + round],
        satOut(store).has(`${peer} ${round}`) ? "yes" : "no",
      ]),
    ),
  });

  const satOut = (store) => {
    const rows = store.table("sat_out").rows();
    if (paused.rows !== rows)
      paused = { rows, keys: new Set(rows.map(({ peer, round }) => `${peer} ${round}`)) };
    return paused.keys;
  };

  function summaryOf(store, model, known) {
    const worst = deepest(model);
    const fell = known.filter((change) => change < 0).length;
    return (
      `Change of accuracy by aggregation, ${model.peers.length} peers by ${model.rounds} rounds: ` +
      `${fell} of ${known.length} fell. The deepest fall: ${points(worst.change)} at ` +
      `${store.peerId(worst.peer)} in round ${worst.round}.`
    );
  }

  /** Cells with a missing mask, a failed pull or rejected weights, as [column, row]. */
  function troubled(store, peers, rounds) {
    const rowOf = new Map(peers.map((peer, row) => [peer, row]));
    const cells = new Map();
    const note = (peer, round) =>
      rowOf.has(peer) && round < rounds && cells.set(`${peer} ${round}`, [round, rowOf.get(peer)]);
    for (const row of store.table("groups").rows())
      if ((row.rejected || []).length) note(row.peer, row.round);
    for (const row of store.table("arrivals").rows())
      if ((row.missing || []).length) note(row.peer, row.round);
    const { peer, round, outcome } = store.table("pulls").columns;
    (outcome || []).forEach((each, i) => each === "failed" && note(peer[i], round[i]));
    return [...cells.values()];
  }

  function frames({ peer, round }, peers, rounds, palette) {
    const row = peers.indexOf(peer);
    const style = { fill: null, stroke: palette.selected, lineWidth: 2 };
    return [
      { cells: row < 0 ? [] : [[0, row]], span: [rounds, 1], style },
      {
        cells: round === null || round >= rounds ? [] : [[round, 0]],
        span: [1, peers.length],
        style,
      },
    ];
  }

  function cellAt({ x, y }) {
    const cell = seen.cells && seen.cells.at(x, y);
    return cell && { peer: seen.figure.model.peers[cell.row], round: cell.column };
  }

  function hover(place, { store }) {
    const cell = cellAt(place);
    if (!cell) return null;
    const { model, measure } = seen.figure;
    const [trained, averaged, aggregated] = [TRAINED, AVERAGED, AGGREGATED].map((moment) =>
      model.at(cell.peer, cell.round, moment),
    );
    const rows = satOut(store).has(`${cell.peer} ${cell.round}`)
      ? [["took part", "no: it sat this round out"]]
      : [];
    rows.push(["trained", text.share(trained)]);
    if (averaged !== null) rows.push(["averaged, before recalibration", text.share(averaged)]);
    rows.push(
      ["aggregated", text.share(aggregated)],
      [
        `change of ${measure} accuracy`,
        points(trained === null || aggregated === null ? null : aggregated - trained),
      ],
    );
    return text.tooltip(`${store.peerId(cell.peer)}, round ${cell.round}`, rows);
  }

  prisam.view({
    id: "fell",
    title: "Who fell, and when",
    short: "Who fell",
    order: 4,
    tables: ["peers", "accuracy", "sat_out", "groups", "arrivals", "pulls", "per_class", "choices"],
    how:
      "A row is a peer, by data group, and a column is a round. The colour says what averaging " +
      "with others did to the peer's accuracy in that round: blue is a gain; orange with stripes " +
      "is a fall; the number is in percentage points. A small square marks a round in which a " +
      "mask was missing, a pull failed or weights were rejected. A pause (two upright bars) is a " +
      "round that the peer sat out; an empty cell one in which it was down or lost. Look for " +
      "orange rows (a peer whose group does not fit) and orange columns (a round in which all " +
      "fell). Click on a cell: the table below says with whom it averaged and what was missing, " +
      "and the bars which classes it lost.",
    figures: [
      {
        id: "changes",
        title: "Accuracy after aggregation minus accuracy after training",
        anywhere: true,
        follows: ["peer", "round"],
        build,
        hover,
        click: cellAt,
        controls: [
          {
            id: "measure",
            label: "Accuracy on",
            options: [
              ["test", "test images"],
              ["validation", "validation images"],
            ],
          },
        ],
      },
      ...prisam.fellExplained,
    ],
  });

  prisam.testing = prisam.testing || {};
  /** Where the cell of a row and a column is drawn, for tests in a browser. */
  prisam.testing.fell = () => ({
    peers: seen.figure.model.peers,
    centre: (row, column) => [seen.cells.x(column + 0.5), seen.cells.y(row + 0.5)],
  });
})();
