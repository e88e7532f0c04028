/* View 4: who fell, and when. Peers x rounds; the colour is what aggregation did to accuracy. */
"use strict";

(function () {
  const { matrix, text } = prisam;
  const { TRAINED, AVERAGED, AGGREGATED } = prisam.charts.MOMENTS;
  const N_MOMENTS = 3;
  const LEAST = 0.01; // a scale that ends earlier would make noise look like a fall
  const seen = { cells: null, figure: null };

  /** Where the scale ends: at twice the deepest fall, so that large gains do not hide the falls. */
  function endOf(known) {
    const deepest = -Math.min(0, ...known);
    return Math.min(Math.max(LEAST, deepest * 2), Math.max(LEAST, ...known.map(Math.abs)));
  }

  const points = (change) =>
    change === null
      ? "not known"
      : `${change >= 0 ? "+" : "−"}${text.number(Math.abs(change) * 100, 1)} points`;

  let cached = { order: null };

  /**
   * Accuracies by peer and round: {peers, rounds, at(peer, round, moment), changes: row by row,
   * null = not known}.
   */
  function modelOf(store, measure) {
    const table = store.table("accuracy");
    if (cached.order !== table.order() || cached.measure !== measure)
      cached = { order: table.order(), measure, model: make(store, table, measure) };
    return cached.model;
  }

  function make(store, table, measure) {
    const peers = store.peersByGroup();
    const rowOf = new Map(peers.map((peer, row) => [peer, row]));
    const { peer, round, moment, [measure]: share } = table.columns;
    const rounds = (round || []).reduce((most, each) => Math.max(most, each + 1), 0);
    const shares = new Float64Array(peers.length * rounds * N_MOMENTS).fill(NaN);
    for (let i = 0; i < table.n; i += 1) {
      if (rowOf.has(peer[i]) && round[i] >= 0 && share[i] !== null)
        shares[(rowOf.get(peer[i]) * rounds + round[i]) * N_MOMENTS + moment[i]] = share[i];
    }
    const known = (value) => (value === undefined || Number.isNaN(value) ? null : value);
    return {
      peers,
      rounds,
      at: (who, when, what) => known(shares[(rowOf.get(who) * rounds + when) * N_MOMENTS + what]),
      changes: Array.from({ length: peers.length * rounds }, (_, i) =>
        known(shares[i * N_MOMENTS + AGGREGATED] - shares[i * N_MOMENTS + TRAINED]),
      ),
    };
  }

  function build(c) {
    const { store, selection, palette, controls } = c;
    const model = modelOf(store, controls.measure);
    const known = model.changes.filter((change) => change !== null);
    if (!known.length) return { option: null, empty: nothing(store) };
    const { peers, rounds } = model;
    const most = endOf(known);
    const scale = matrix.scaleOf(palette.scale("diverging"), -most, most);
    const frame = { columns: rounds, rows: peers.length };
    const rowPx = peers.length <= 40 ? 22 : 7;
    seen.figure = { model, measure: controls.measure };
    const endInWords = (end) => {
      const beyond = known.some((change) => (end < 0 ? change < end : change > end));
      return points(end) + (beyond ? " or more" : "");
    };
    return {
      option: {
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
        visualMap: matrix.legend(scale, endInWords),
        series: [
          matrix.cellSeries({
            ...frame,
            values: model.changes,
            scale,
            palette,
            seen,
            words: (change) => (change * 100).toFixed(1).replace("-", "−"),
            striped: (change) => change < 0,
          }),
          matrix.cornerSeries(rounds, peers.length, troubled(store, peers, rounds), palette),
          matrix.frameSeries(rounds, peers.length, frames(selection, peers, rounds, palette)),
        ],
      },
      height: Math.max(180, 92 + peers.length * rowPx),
      table: () => ({
        columns: ["peer", "round", "trained", "averaged", "aggregated", "change"],
        rows: peers.flatMap((peer, row) =>
          Array.from({ length: rounds }, (_, round) => [
            store.peerId(peer),
            round,
            ...[TRAINED, AVERAGED, AGGREGATED].map((moment) => model.at(peer, round, moment)),
            model.changes[row * rounds + round],
          ]),
        ),
      }),
      summary: summaryOf(store, model, known),
    };
  }

  const nothing = (store) =>
    store.facts.status === "running"
      ? "No round has been evaluated both after training and after aggregation yet."
      : "No round was evaluated both after training and after aggregation.";

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

  /** The deepest fall: {peer, round, change}. */
  function deepest({ peers, rounds, changes }) {
    let worst = -1;
    changes.forEach((change, i) => {
      if (change !== null && (worst < 0 || change < changes[worst])) worst = i;
    });
    return worst < 0
      ? null
      : { peer: peers[Math.floor(worst / rounds)], round: worst % rounds, change: changes[worst] };
  }

  /**
   * The peer and round that the lower figures explain: those selected, or else the deepest fall.
   */
  function explained({ store, selection }) {
    if (selection.peer !== null && selection.round !== null)
      return { peer: selection.peer, round: selection.round };
    const model = modelOf(store, "test");
    const within = {
      ...model,
      changes: model.changes.map((change, i) => {
        const [peer, round] = [model.peers[Math.floor(i / model.rounds)], i % model.rounds];
        return (selection.peer ?? peer) === peer && (selection.round ?? round) === round
          ? change
          : null;
      }),
    };
    return deepest(within);
  }

  function heading({ peer, round }, { store, selection }) {
    const [fixed, chosen] = [selection.peer !== null, selection.round !== null];
    if (fixed && chosen) return `${store.peerId(peer)} in round ${round}.`;
    const of = fixed ? " of this peer" : chosen ? " in this round" : "";
    return (
      `${store.peerId(peer)} in round ${round}: the deepest fall${of}. Click on a cell for ` +
      "another one."
    );
  }

  /** What happened at a peer in a round, as rows for people. */
  function detail(c) {
    const { store } = c;
    const which = explained(c);
    if (!which) return { option: null, empty: nothing(store) };
    const { peer, round } = which;
    const of = (name) =>
      store
        .table(name)
        .rows()
        .find((row) => row.peer === peer && row.round === round) || {};
    const [group, arrivals] = [of("groups"), of("arrivals")];
    const grouped = text.known(group.peer); // whether the round came to averaging
    const ids = (peers) =>
      peers ? peers.map((each) => store.peerId(each)).join(", ") || "none" : "not recorded";
    const pairs = (list, value) =>
      list
        ? list.map(([each, x]) => `${store.peerId(each)}: ${value(x)}`).join("; ") || "none"
        : "not recorded";
    const { peer: puller, round: rounds, donor, outcome, reason } = store.table("pulls").columns;
    const failed = (puller || []).flatMap((each, i) =>
      each === peer && rounds[i] === round && outcome[i] === "failed"
        ? [[donor[i], reason[i]]]
        : [],
    );
    const accuracy = store
      .table("accuracy")
      .rows()
      .filter((row) => row.peer === peer && row.round === round);
    const moments = ["trained", "averaged, before recalibration", "aggregated"];
    const rows = [
      ...accuracy.map((row) => [
        `accuracy ${moments[row.moment]}`,
        `test ${text.share(row.test)}, validation ${text.share(row.validation)}`,
      ]),
      [
        "prune ratio rho",
        text.known(group.prune_ratio) ? text.number(group.prune_ratio, 3) : "not recorded",
      ],
      ["its group", ids(group.members)],
      ["chosen to pull from", ids(group.chosen)],
      ["in the average", ids(group.averaged)],
      ["norm of their weights over its own", pairs(group.norms, (x) => text.number(x, 3))],
      [
        "rejected weights",
        pairs(group.rejected ?? (grouped ? [] : null), (check) => `check ${check}`),
      ],
      ["failed pulls", pairs(failed, (why) => why)],
      ["missing masks", pairs(arrivals.missing, (why) => why)],
      [
        "waited for masks",
        text.known(arrivals.waited_s)
          ? `${text.seconds(arrivals.waited_s)}; the last came from ${ids(arrivals.slowest)}`
          : "not recorded",
      ],
    ];
    return {
      option: null,
      tableOnly: true,
      notes: [heading(which, c)],
      table: { columns: ["what", "value"], rows },
    };
  }

  const without = (store) =>
    store.table("per_class").n
      ? "No accuracy by class is in the page of this peer and round. Of long runs it holds " +
        "every few rounds."
      : "No accuracy by class is recorded in this run.";

  /** Accuracy by class before and after aggregation. */
  function classes(c) {
    const { store, palette } = c;
    const which = explained(c);
    const rows = which
      ? store
          .table("per_class")
          .rows()
          .filter((row) => row.peer === which.peer && row.round === which.round)
      : [];
    if (!rows.length) return { option: null, empty: without(store) };
    const n = Math.max(...rows.map((row) => row.right.length));
    const names = Array.from({ length: n }, (_, i) => String((store.facts.classes || [])[i] ?? i));
    const heads = names.map((name, i) =>
      rows.some((row) => row.of[i]) ? name : `${name} (no images)`,
    );
    const moments = [
      [TRAINED, "trained", 3],
      [AVERAGED, "averaged, before recalibration", 4],
      [AGGREGATED, "aggregated", 0],
    ];
    const shares = moments
      .map(([moment, name, place]) => ({
        name,
        place,
        row: rows.find((each) => each.moment === moment),
      }))
      .filter(({ row }) => row)
      .map(({ name, place, row }) => ({
        name,
        place,
        row,
        values: names.map((_, i) => (row.of[i] ? row.right[i] / row.of[i] : null)),
      }));
    return {
      decal: true,
      option: {
        legend: { top: 0 },
        tooltip: {
          trigger: "axis",
          formatter: (all) =>
            text.tooltip(
              `class ${all[0].name}`,
              all.map((each) => {
                const { row } = shares[each.seriesIndex];
                return [
                  each.seriesName,
                  `${text.share(each.value)}, ${row.right[each.dataIndex]} of ` +
                    `${row.of[each.dataIndex]} images`,
                ];
              }),
            ),
        },
        grid: { top: 36, bottom: 40, left: 8, right: 16, containLabel: true },
        xAxis: {
          type: "category",
          data: heads,
          ...prisam.charts.axisName("class"),
        },
        yAxis: {
          type: "value",
          min: 0,
          max: 1,
          axisLabel: { formatter: (value) => text.share(value, 0) },
        },
        series: shares.map(({ name, place, values }) => ({
          type: "bar",
          name,
          data: values,
          itemStyle: { color: palette.mark(place).color, decal: palette.mark(place).decal },
        })),
      },
      height: 260,
      notes: [heading(which, c)],
      table: {
        columns: ["class", ...shares.flatMap(({ name }) => [`${name}: right`, `${name}: of`])],
        rows: names.map((name, i) => [
          name,
          ...shares.flatMap(({ row }) => [row.right[i], row.of[i]]),
        ]),
      },
      summary: `Accuracy by class, trained and aggregated, of ${heading(which, c)}`,
    };
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
    const rows = [["trained", text.share(trained)]];
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
    tables: ["peers", "accuracy", "groups", "arrivals", "pulls", "per_class"],
    how:
      "A row is a peer, by data group, and a column is a round. The colour says what averaging " +
      "with others did to the peer's accuracy in that round: blue is a gain; orange with stripes " +
      "is a fall; the number is in percentage points. A small square marks a round in which a " +
      "mask was missing, a pull failed or weights were rejected. Look for orange rows (a peer " +
      "whose group does not fit) and orange columns (a round in which all fell). Click on a " +
      "cell: the table below says with whom it averaged and what was missing, and the bars which " +
      "classes it lost.",
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
      { id: "round", title: "What happened there", follows: ["peer", "round"], build: detail },
      {
        id: "classes",
        title: "Accuracy by class, before and after",
        follows: ["peer", "round"],
        build: classes,
      },
    ],
  });

  prisam.testing = prisam.testing || {};
  /** Where the cell of a row and a column is drawn, for tests in a browser. */
  prisam.testing.fell = () => ({
    peers: seen.figure.model.peers,
    centre: (row, column) => [seen.cells.x(column + 0.5), seen.cells.y(row + 0.5)],
  });
})();
