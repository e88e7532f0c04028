/* Several runs beside each other: figures, accuracy, bytes, faults. Shown where the page has
   more than one. */
"use strict";

(function () {
  const { linesOf, spread } = prisam.series;
  const { MOMENT_NAMES, STAR } = prisam.charts;
  const { AGGREGATED, FINE_TUNED } = prisam.charts.MOMENTS;
  const AXES = {
    round: ["round", "round"],
    seconds: ["t_s", "seconds of the run"],
    wire: ["wire_mib", "MiB that a peer sent and received, mean"],
  };

  /** Names of runs as columns: two of one name get their numbers. */
  function namesOf(runs) {
    const names = runs.map((run) => run.name);
    return names.map((name, i) =>
      names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (${i + 1})`,
    );
  }

  /** A fact as text, since a column holds numbers and words. */
  const told = (value) => (prisam.text.known(value) ? String(value) : null);

  function figuresBeside({ store: { runs } }) {
    const facts = [
      "status",
      "algorithm",
      "topology",
      "dataset",
      "model",
      "peers",
      "rounds",
      "rounds_done",
      "seed",
      "duration_s",
    ];
    const rowsOf = (run) =>
      run
        .table("tiles")
        .rows()
        .slice()
        .sort((a, b) => a.place - b.place);
    const tiles = runs.map((run) => new Map(rowsOf(run).map((row) => [row.id, row.value])));
    const labels = new Map(runs.flatMap((run) => rowsOf(run).map((row) => [row.id, row.label])));
    labels.delete("status"); // a fact already
    const rows = [
      ...facts.map((fact) => [
        fact.replaceAll("_", " "),
        ...runs.map((run) => told(run.facts[fact])),
      ]),
      ...[...labels].map(([id, label]) => [label, ...tiles.map((each) => each.get(id) ?? null)]),
    ];
    return {
      option: null,
      tableOnly: true,
      table: { columns: ["figure", ...namesOf(runs)], rows },
    };
  }

  function accuracy(c) {
    const [column, unit] = AXES[c.controls.axis];
    const { runs } = c.store;
    const names = namesOf(runs);
    const meansAt = (moment) =>
      runs.map((run) => {
        const table = run.table("accuracy");
        return spread(
          linesOf(table, column, "test", (i) => table.columns.moment[i] === moment).values(),
        );
      });
    const [lines, tuned] = [AGGREGATED, FINE_TUNED].map(meansAt);
    const rowsAt = (means, moment) =>
      means.flatMap((line, i) =>
        line.map(({ round, x, y, low, high, n }) => [
          ...[names[i], MOMENT_NAMES[moment], round, x, y, low, high, n],
        ]),
      );
    const table = {
      columns: ["run", "moment", "round", unit, "mean", "lowest", "highest", "peers"],
      rows: [...rowsAt(lines, AGGREGATED), ...rowsAt(tuned, FINE_TUNED)],
    };
    if (!lines.some((line) => line.length)) {
      const empty = `No run here tells its accuracy over ${unit}.`;
      return { option: null, empty, table, summary: empty };
    }
    const series = lines.map((line, i) => {
      const mark = c.palette.mark(i);
      return {
        name: names[i],
        type: "line",
        data: line.map((row) => [row.x, row.y, row.round]),
        symbol: mark.symbol,
        symbolSize: line.length > 40 ? 0 : 6,
        lineStyle: {
          color: mark.color,
          type: mark.dash,
          width: Math.min(8, 2 + 2 * (lines.length - 1 - i)),
        },
        itemStyle: { color: mark.color },
      };
    });
    tuned.forEach((means, i) => {
      if (means.length) series.push(tunedSeries(names[i], c.palette.mark(i), means));
    });
    const tip = (params) =>
      prisam.text.tooltip(params.seriesName, [
        ["round", params.value[2]],
        [unit, prisam.text.number(params.value[0], 2)],
        ["mean accuracy", prisam.text.share(params.value[1], 2)],
      ]);
    const ends = lines.map((line, i) =>
      line.length
        ? `${names[i]}: ${prisam.text.share(line.at(-1).y)} in round ${line.at(-1).round}`
        : `${names[i]}: none`,
    );
    return {
      height: 340,
      table,
      summary: `Mean test accuracy after aggregation. ${ends.join("; ")}.`,
      option: {
        grid: { left: 56, right: 24, top: 30, bottom: 76 },
        legend: { type: "scroll", bottom: 0 },
        tooltip: { formatter: tip },
        xAxis: {
          type: "value",
          ...prisam.charts.axisName(unit),
          min: "dataMin",
          max: "dataMax",
        },
        yAxis: {
          type: "value",
          scale: true,
          ...prisam.charts.topName("mean accuracy"),
          axisLabel: { formatter: prisam.charts.percent },
        },
        series,
      },
    };
  }

  /** Fine-tuned models of a run: a star in the run's colour. */
  const tunedSeries = (name, { color }, means) => ({
    name: `${name}, ${MOMENT_NAMES[FINE_TUNED]}`,
    type: "scatter",
    z: 5,
    symbol: STAR,
    symbolSize: 15,
    data: means.map((row) => [row.x, row.y, row.round]),
    itemStyle: { color },
  });

  function bytes(c) {
    const { runs } = c.store;
    const names = namesOf(runs);
    const sums = runs.map((run) => {
      const { kind = [], n_bytes: counts = [] } = run.table("bytes").columns;
      const sum = new Map();
      kind.forEach((each, i) => sum.set(each, (sum.get(each) || 0) + counts[i]));
      return sum;
    });
    const kinds = [...new Set(sums.flatMap((sum) => [...sum.keys()]))];
    const table = {
      columns: ["kind", ...names],
      rows: kinds.map((kind) => [kind, ...sums.map((sum) => sum.get(kind) ?? null)]),
    };
    if (!kinds.length) {
      const empty = "No run here has a ledger of bytes: a run has one when it is over.";
      return { option: null, empty, table, summary: empty };
    }
    const series = kinds.map((kind) => {
      const mark = c.palette.kind(kind);
      return {
        name: kind,
        type: "bar",
        stack: "bytes",
        barMaxWidth: 34,
        data: sums.map((sum) => (sum.get(kind) ?? 0) / prisam.text.MIB),
        itemStyle: { color: mark.color, decal: mark.decal },
      };
    });
    const tip = ({ name, seriesName, value }) =>
      prisam.text.tooltip(name, [[seriesName, prisam.text.bytes(value * prisam.text.MIB)]]);
    const inWords = (kind) => {
      const ofRuns = sums.map((sum) => prisam.text.bytes(sum.get(kind) ?? 0));
      return `${kind} ${ofRuns.join(" and ")}`;
    };
    return {
      height: 104 + 46 * runs.length,
      table,
      summary: `Bytes by kind: ${kinds.map(inWords).join("; ")}.`,
      option: {
        grid: { left: 150, right: 24, top: 34, bottom: 44 },
        legend: { top: 0 },
        tooltip: { formatter: tip },
        xAxis: { type: "value", ...prisam.charts.axisName("MiB", 24) },
        yAxis: {
          type: "category",
          inverse: true,
          data: names,
          axisLabel: { formatter: (name) => prisam.text.short(name, 20) },
        },
        series,
      },
    };
  }

  function faults({ store: { runs } }) {
    const names = namesOf(runs);
    const kinds = new Map();
    const found = runs.map((run) => {
      const rows = run.table("faults").rows();
      for (const row of rows) kinds.set(row.occurrence, row.kind);
      return new Map(rows.map((row) => [row.occurrence, row]));
    });
    const verdictOf = (row) =>
      row ? [row.verdict ?? "no verdict", row.why].filter(Boolean).join(": ") : "not in this run";
    const rows = [...kinds]
      .sort(([a], [b]) => prisam.text.inOrder(a, b))
      .map(([occurrence, kind]) => [
        occurrence,
        kind,
        ...found.map((each) => verdictOf(each.get(occurrence))),
      ]);
    const empty = rows.length ? "" : "No run here had a fault.";
    return {
      option: null,
      empty,
      tableOnly: rows.length > 0,
      table: { columns: ["occurrence", "kind", ...names], rows },
    };
  }

  prisam.view({
    id: "compare",
    title: "Runs compared",
    order: 1.5,
    tables: ["tiles", "accuracy", "bytes", "faults"],
    when: (store) => store.runs.length > 1,
    how:
      "The runs of this page beside each other. A line is the mean over the peers of one run, of " +
      "the model after aggregation on test data, and a star that after fine-tuning; over wire " +
      "MiB it shows what accuracy was bought by how many bytes. Bytes are those of the ledger, " +
      "in all layers. A fault stands in one line with its verdict in each run that had it. All " +
      "views below show the run that is chosen in the bar.",
    figures: [
      { id: "figures", title: "Figures", follows: [], build: figuresBeside },
      {
        id: "accuracy",
        title: "Accuracy",
        follows: [],
        build: accuracy,
        controls: [
          {
            id: "axis",
            label: "Over",
            options: [
              ["round", "rounds"],
              ["seconds", "seconds"],
              ["wire", "wire MiB"],
            ],
          },
        ],
      },
      { id: "bytes", title: "Bytes by kind", follows: [], build: bytes, click: () => null },
      { id: "faults", title: "Faults", follows: [], build: faults },
    ],
  });
})();
