/* The figure "By class" of view 3: the share of test images that were right, by round and class. */
"use strict";

(function () {
  const { MOMENT_NAMES, axisName } = prisam.charts;
  const { short, share, tooltip } = prisam.text;

  /**
   * Images right and all, summed up over peers (`chosen`: of this peer alone): round ->
   * [[right, of] of each class].
   */
  function sumsOf(table, chosen, wanted) {
    const { peer, round, moment, right, of } = table.columns;
    const sums = new Map();
    for (const i of table.order()) {
      if (moment[i] !== wanted || (chosen !== null && peer[i] !== chosen)) continue;
      if (!sums.has(round[i]))
        sums.set(
          round[i],
          of[i].map(() => [0, 0]),
        );
      of[i].forEach((n, k) => {
        sums.get(round[i])[k][0] += right[i][k];
        sums.get(round[i])[k][1] += n;
      });
    }
    return sums;
  }

  /** Of the selected peer, or of all peers together. */
  function build(c) {
    const { store } = c;
    const table = store.table("per_class");
    const chosen = c.selection.peer;
    const wanted = Number(c.controls.moment);
    const sums = sumsOf(table, chosen, wanted);
    const rounds = [...sums.keys()].sort((a, b) => a - b);
    const names = store.facts.classes || [];
    const label = (k) => String(names[k] ?? k);
    const asTable = () => ({
      columns: ["round", "class", "right", "of"],
      rows: rounds.flatMap((at) => sums.get(at).map(([n, all], k) => [at, label(k), n, all])),
    });
    const who = chosen === null ? "all peers" : store.peerId(chosen);
    if (!rounds.length) {
      const empty = nothing(table, who);
      return { option: null, empty, table: asTable, summary: empty };
    }
    const n = sums.get(rounds[0]).length;
    return {
      height: 90 + Math.max(160, n * 22),
      table: asTable,
      notes: [
        chosen === null
          ? "Select a peer to see its classes alone, with its number of training images of each."
          : `In brackets: training images of ${who}.`,
      ],
      summary: `Share right of each of ${n} classes by round, ${who}, ${MOMENT_NAMES[wanted]}.`,
      option: optionOf(c, { rounds, sums, n, label, held: heldBy(store, chosen) }),
    };
  }

  const nothing = (table, who) =>
    table.n
      ? `No accuracy by class of ${who} at this moment.`
      : "This run has no accuracies by class: it ended before the first evaluation, or an " +
        "older version recorded it.";

  /** A peer's training images of each class; none where no peer is chosen or it is not known. */
  const heldBy = (store, chosen) =>
    chosen === null
      ? null
      : store
          .table("peers")
          .rows()
          .find((row) => row.peer === chosen)?.classes;

  function optionOf(c, { rounds, sums, n, label, held }) {
    const nameOf = (k) => (held ? `${short(label(k), 10)} (${held[k] ?? 0})` : short(label(k), 14));
    const tip = ({ value }) =>
      tooltip(`class ${label(value[1])}`, [
        ["round", rounds[value[0]]],
        ["right", `${value[3]} of ${value[4]}`],
        ["share", share(value[2])],
      ]);
    return {
      grid: { left: 96, right: 76, top: 10, bottom: 46 },
      tooltip: { formatter: tip },
      xAxis: { type: "category", ...axisName("round"), data: rounds },
      yAxis: {
        type: "category",
        inverse: true,
        data: Array.from({ length: n }, (_, k) => nameOf(k)),
      },
      visualMap: {
        min: 0,
        max: 1,
        dimension: 2,
        right: 0,
        top: "middle",
        itemHeight: 120,
        calculable: false,
        text: ["100 %", "0 %"],
        inRange: { color: c.palette.scale("sequential") },
      },
      series: [cellSeries(c, rounds, sums)],
    };
  }

  /** A cell is [place of the round, class, share right, right, of]; one without images is none. */
  function cellSeries(c, rounds, sums) {
    const cells = rounds.flatMap((round, place) =>
      sums
        .get(round)
        .map(([right, all], k) => [place, k, all ? right / all : null, right, all])
        .filter((cell) => cell[2] !== null),
    );
    return {
      type: "heatmap",
      data: cells,
      label: {
        show: rounds.length * 34 < c.width - 120,
        fontSize: 10,
        formatter: ({ value }) => String(Math.round(value[2] * 100)),
      },
      itemStyle: { borderWidth: 1, borderColor: c.palette.surface },
    };
  }

  prisam.accuracyByClass = {
    id: "classes",
    title: "By class",
    controls: [
      {
        id: "moment",
        label: "Moment",
        options: (store) => [
          ["2", "aggregated"],
          ["1", "averaged, before recalibration"],
          ["0", "trained"],
          ...(prisam.charts.isFineTuned(store) ? [["3", "fine-tuned"]] : []),
        ],
      },
    ],
    follows: ["peer"],
    build,
    click: (event) => ({ round: Number(event.name) }),
  };
})();
