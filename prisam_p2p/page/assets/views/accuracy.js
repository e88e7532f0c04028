/* View 3: accuracy over rounds, seconds, device time or bytes. */
"use strict";

(function () {
  const { MOMENT_NAMES, legendRows, isFineTuned } = prisam.charts;
  const { TRAINED, AGGREGATED, FINE_TUNED } = prisam.charts.MOMENTS;
  const { linesOf, spread } = prisam.series;
  const { MOST_LINES, SAT_OUT, momentSeries, referenceSeries, faultSeries, roundSeries } =
    prisam.accuracySeries;
  const AXES = {
    round: { column: "round", name: "round" },
    seconds: { column: "t_s", name: "seconds of the run" },
    device: { column: "device_s", name: "seconds that the emulated device trained" },
    wire: { column: "wire_mib", name: "MiB that the peer sent and received" },
  };

  /** In the legend faults look as they do in the figure: an area, and no line. */
  const shadeLegend = ({ palette }) => ({
    name: "faults",
    icon: "rect",
    itemStyle: { color: palette.shade, borderColor: palette.selected, borderWidth: 1 },
  });

  const LEGEND_ROW_PX = 24;
  const LEGEND_SYMBOL_PX = 50; // a name's symbol, and the gaps about both
  const MOST_LEGEND_ROWS = 4; // more are scrolled

  /**
   * The legend below the figure, and how high it is: paper cannot be scrolled, so all names are
   * shown where they fit.
   */
  function legendOf(c, names) {
    const rows = legendRows(names, c.width, LEGEND_SYMBOL_PX);
    const fits = rows <= MOST_LEGEND_ROWS;
    const data = names.map((name) => (name === "faults" ? shadeLegend(c) : name));
    return {
      height: (fits ? rows : 1) * LEGEND_ROW_PX,
      option: { type: fits ? "plain" : "scroll", bottom: 0, data },
    };
  }

  function tooltip(c, axis) {
    return (params) => {
      const [x, y, peer, round, moment, row] = params.value;
      const paused = params.seriesName === SAT_OUT;
      const rows = [
        [paused ? "accuracy, as before" : "accuracy", prisam.text.share(y, 2)],
        paused
          ? ["took part", "no: it sat this round out"]
          : ["moment", MOMENT_NAMES[moment] ?? ""],
        ["round", round ?? ""],
      ];
      if (axis.column !== "round") rows.push([axis.name, prisam.text.number(x, 2)]);
      if (row && row.n)
        rows.push(
          ["peers", row.n],
          ["lowest", prisam.text.share(row.low, 2)],
          ["highest", prisam.text.share(row.high, 2)],
        );
      return prisam.text.tooltip(
        peer === null || peer === undefined ? params.seriesName : c.store.peerId(peer),
        rows,
      );
    };
  }

  function build(c) {
    const table = c.store.table("accuracy");
    const axis = AXES[c.controls.axis];
    const all = [AGGREGATED, TRAINED, ...(isFineTuned(c.store) ? [FINE_TUNED] : [])];
    const moments = c.controls.moment === "both" ? all : [Number(c.controls.moment)];
    const lines = moments.map((moment) =>
      linesOf(table, axis.column, c.controls.score, (i) => table.columns.moment[i] === moment),
    );
    const drawn = moments.flatMap((moment, place) =>
      momentSeries(c, lines[place], moment, place > 0),
    );
    const asTable = () => tableOf(c.store, table);
    if (!drawn.length) {
      const why = nothing(c, table, axis, moments[0]);
      return { option: null, empty: why, table: asTable, summary: why };
    }
    const series = [...drawn, ...referenceSeries(c, axis), ...faultSeries(c), ...roundSeries(c)];
    const names = new Set(series.map((each) => each.name));
    if (names.delete(SAT_OUT)) names.add(SAT_OUT); // after the groups
    const legend = legendOf(c, [...names]);
    return {
      height: (c.width < 600 ? 316 : 406) + legend.height,
      notes: remarks(c),
      table: asTable,
      summary: summaryOf(c, axis, moments, lines),
      option: optionOf(c, axis, series, legend),
    };
  }

  function tableOf(store, table) {
    const names = ["round", "moment", "validation", "test", "t_s", "device_s", "wire_mib"].filter(
      (name) => table.has(name),
    );
    const rows = table
      .rows()
      .map((row) => [
        store.peerId(row.peer),
        ...names.map((name) => (name === "moment" ? MOMENT_NAMES[row.moment] : row[name])),
      ]);
    const pauses = store
      .table("sat_out")
      .rows()
      .map(({ peer, round, end_s }) => [
        store.peerId(peer),
        ...names.map((name) => ({ round, moment: SAT_OUT, t_s: end_s })[name] ?? null),
      ]);
    return { columns: ["peer", ...names], rows: [...rows, ...pauses] };
  }

  const nothing = (c, table, axis, moment) =>
    table.n
      ? `No record of this run tells ${axis.name} of "${MOMENT_NAMES[moment]}" ` +
        `(${c.controls.score}).`
      : "This run recorded no accuracy: it ended before the first evaluation.";

  function remarks({ store, controls }) {
    const notes = [];
    const n = store.peersByGroup().length;
    if (controls.show === "all" && n > MOST_LINES)
      notes.push(
        `Of ${n} peers, means and bands are drawn, and the selected peer; "Show: peers" draws ` +
          "each.",
      );
    if (["device", "wire"].includes(controls.axis))
      notes.push(
        "Baseline, control run, faults and rounds that were sat out are drawn over rounds and " +
          "seconds only.",
      );
    if (store.table("sat_out").n)
      notes.push("Not all peers took part in every round: means and bands are of those that did.");
    return notes;
  }

  /**
   * The last round in words. While a run goes on, peers may have trained and not yet aggregated.
   */
  function summaryOf(c, axis, moments, lines) {
    const lasts = lines.map((each) => spread(each.values()).at(-1));
    const told = lasts.findIndex(Boolean);
    const { round, y, low, high, n } = lasts[told];
    const { share } = prisam.text;
    return (
      `Accuracy (${c.controls.score}) over ${axis.name}, ${MOMENT_NAMES[moments[told]]}. In ` +
      `round ${round}: mean ${share(y)}, lowest ${share(low)}, highest ${share(high)} of ` +
      `${n} peers.`
    );
  }

  function optionOf(c, axis, series, legend) {
    return {
      grid: { left: 56, right: 24, top: 32, bottom: 84 + legend.height },
      legend: legend.option,
      tooltip: { formatter: tooltip(c, axis) },
      xAxis: {
        type: "value",
        ...prisam.charts.axisName(axis.name),
        min: "dataMin",
        max: "dataMax",
        minInterval: c.controls.axis === "round" ? 1 : 0,
        axisLabel: { formatter: (value) => String(Number(value.toFixed(2))) },
      },
      yAxis: {
        type: "value",
        ...prisam.charts.topName("accuracy"),
        scale: true,
        axisLabel: { formatter: prisam.charts.percent },
      },
      dataZoom: [
        { type: "inside", filterMode: "none", zoomOnMouseWheel: "ctrl" },
        {
          type: "slider",
          filterMode: "none",
          bottom: 8 + legend.height,
          height: 22,
          showDataShadow: false,
          brushSelect: false,
        },
      ],
      series,
    };
  }

  prisam.view({
    id: "accuracy",
    title: "Accuracy",
    order: 3,
    tables: ["accuracy", "sat_out", "reference", "faults", "peers", "per_class"],
    how:
      "A thin line is a peer, a thick line the mean of a data group, and the band reaches from " +
      "the group's lowest to its highest peer. Solid is the model after aggregation, dotted " +
      "after training alone: where the solid line lies below, averaging cost the group accuracy. " +
      "A star is the model after fine-tuning, which comes once, after the last round. A pause " +
      "(two upright bars) is a round that the peer sat out: its model stayed as it was. The line " +
      "of a peer that was down has no such mark, and that of a lost peer ends. " +
      "Long dashes are the baseline, short dashes the control run without faults. Shaded is the " +
      "time of a fault. Hold Ctrl and turn the wheel, or drag the slider, to zoom. By class: the " +
      "share of test images that were right, by round and class; a class that stays pale is one " +
      "that these peers never learn.",
    figures: [
      {
        id: "accuracy",
        title: "Accuracy",
        controls: [
          {
            id: "axis",
            label: "Over",
            options: [
              ["round", "rounds"],
              ["seconds", "seconds"],
              ["device", "device time"],
              ["wire", "wire MiB"],
            ],
          },
          {
            id: "moment",
            label: "Moment",
            options: (store) => [
              ["both", isFineTuned(store) ? "all of these" : "aggregated and trained"],
              ["2", "aggregated"],
              ["0", "trained"],
              ["1", "averaged, before recalibration"],
              ...(isFineTuned(store) ? [["3", "fine-tuned"]] : []),
            ],
          },
          {
            id: "score",
            label: "On",
            options: [
              ["test", "test data"],
              ["validation", "validation data"],
            ],
          },
          {
            id: "show",
            label: "Show",
            options: [
              ["all", "peers, means, bands"],
              ["means", "means and bands"],
              ["peers", "peers"],
            ],
          },
        ],
        build,
        click(event) {
          const [, , peer, round] = event.value || [];
          if (peer === null || peer === undefined)
            return Number.isInteger(round) ? { round } : null;
          return Number.isInteger(round) ? { peer, round } : { peer };
        },
      },
      prisam.accuracyByClass,
    ],
  });
})();
